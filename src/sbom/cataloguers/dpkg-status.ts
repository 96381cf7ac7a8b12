import { definedFields } from '../defined-fields.ts';

/** One installed package of dpkg's database (deb-control(5)); relation fields are kept as written. */
export interface DpkgPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly source?: string;
  /** Version of the source package where it differs from the binary's. */
  readonly sourceVersion?: string;
  readonly maintainer?: string;
  readonly homepage?: string;
  /** Pre-Depends and Depends, joined. */
  readonly depends?: string;
  readonly provides?: string;
}

const wanted = new Set([
  'package',
  'status',
  'version',
  'architecture',
  'source',
  'maintainer',
  'homepage',
  'pre-depends',
  'depends',
  'provides',
]);

/**
 * The installed packages of a `status` file. A paragraph without Status (distroless writes those) counts as installed;
 * one without name or version is left out.
 */
export function parseDpkgStatus(text: string): DpkgPackage[] {
  const packages: DpkgPackage[] = [];
  for (const fields of readParagraphs(text)) {
    const found = toPackage(fields);
    if (found !== undefined) packages.push(found);
  }
  return packages;
}

function* readParagraphs(text: string): Generator<ReadonlyMap<string, string>> {
  let fields = new Map<string, string>();
  let current: string | undefined;
  for (const line of text.split('\n')) {
    if (line.trim() === '') {
      if (fields.size > 0) yield fields;
      fields = new Map();
      current = undefined;
    } else if (line.startsWith(' ') || line.startsWith('\t')) {
      if (current !== undefined) fields.set(current, `${fields.get(current) ?? ''} ${line.trim()}`);
    } else {
      const colon = line.indexOf(':');
      const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
      current = wanted.has(name) ? name : undefined;
      if (current !== undefined) fields.set(current, line.slice(colon + 1).trim());
    }
  }
  if (fields.size > 0) yield fields;
}

function toPackage(fields: ReadonlyMap<string, string>): DpkgPackage | undefined {
  const name = fields.get('package');
  const version = fields.get('version');
  const status = fields.get('status');
  if (!name || !version || (status !== undefined && !status.endsWith(' installed'))) return undefined;
  const [source, sourceVersion] = splitSource(fields.get('source'));
  const homepage = fields.get('homepage');
  return {
    name,
    version,
    architecture: fields.get('architecture') ?? 'all',
    ...definedFields({
      source,
      sourceVersion,
      maintainer: fields.get('maintainer'),
      homepage: homepage !== undefined && URL.canParse(homepage) ? homepage : undefined,
      depends: [fields.get('pre-depends'), fields.get('depends')].filter(Boolean).join(', '),
      provides: fields.get('provides'),
    }),
  };
}

/** `glibc (2.36-9)` names the source and, where it differs, its version. */
function splitSource(source: string | undefined): readonly [string | undefined, string | undefined] {
  const match = /^(\S+)(?:\s+\(([^)]+)\))?$/.exec(source ?? '');
  return [match?.[1], match?.[2]];
}
