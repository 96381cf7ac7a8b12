import { definedFields } from '../defined-fields.ts';
import { formatPurl } from '../purl.ts';
import type { Cataloguer, Distro, FoundFile } from '../cataloguer.ts';

/** The assignments of an `os-release` file that are of use. */
export interface OsReleaseFact {
  readonly id: string;
  readonly versionId?: string;
  readonly prettyName?: string;
  readonly homeUrl?: string;
  /** Of the file. */
  readonly sha256?: string;
}

const paths = ['etc/os-release', 'usr/lib/os-release'];
const assignment = /^([A-Z_]+)=(?:"([^"]*)"|'([^']*)'|(.*))$/;

/** Reads `os-release` (os-release(5)): shell assignments, quoted or not. Undefined without ID. */
export function parseOsRelease(text: string): OsReleaseFact | undefined {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = assignment.exec(line.trim());
    if (match?.[1] !== undefined) values.set(match[1], match[2] ?? match[3] ?? match[4] ?? '');
  }
  const id = values.get('ID')?.toLowerCase();
  if (id === undefined || !/^[a-z0-9._-]+$/.test(id)) return undefined;
  const texts = {
    versionId: values.get('VERSION_ID'),
    prettyName: values.get('PRETTY_NAME'),
    homeUrl: values.get('HOME_URL'),
  };
  return { id, ...definedFields(texts) };
}

/** The distribution that the image's `os-release` names; `etc/` wins over `usr/lib/`, as the manual page says. */
export function findDistro(find: (path: string) => FoundFile<unknown> | undefined): Distro | undefined {
  const fact = paths.map(find).find((file) => file !== undefined)?.fact as OsReleaseFact | undefined;
  if (fact === undefined) return undefined;
  const qualifier = fact.versionId === undefined ? fact.id : `${fact.id}-${fact.versionId}`;
  return { ...fact, qualifier };
}

/**
 * The distribution itself, as the one component that scanners take their advisories' scope from. Its purl is of the type
 * `generic`, by which no scanner looks up advisories: with a distribution's type it would be taken for a package. No CPE.
 */
export const osRelease: Cataloguer<OsReleaseFact> = {
  name: 'os-release',
  version: 2,
  rules: [
    {
      select: { names: ['os-release'], accept: ({ path }) => paths.includes(path) },
      maxBytes: 64 * 1024,
      digests: ['sha256'],
      parse: (content, _file, digests) => {
        const fact = parseOsRelease(Buffer.from(content).toString('utf8'));
        return fact === undefined ? undefined : { ...fact, ...definedFields({ sha256: digests.sha256 }) };
      },
    },
  ],
  assemble(view) {
    const file = paths.map((path) => view.find(path)).find((found) => found !== undefined);
    if (file === undefined || view.distro === undefined) return { components: [] };
    const { id, versionId, prettyName, homeUrl, qualifier } = view.distro;
    const url = homeUrl !== undefined && URL.canParse(homeUrl) ? homeUrl : undefined;
    return {
      components: [
        {
          ref: `os:${qualifier}`,
          purl: formatPurl({ type: 'generic', name: id, version: versionId }),
          type: 'operating-system',
          name: id,
          ...(versionId === undefined ? {} : { version: versionId }),
          ...(prettyName === undefined ? {} : { description: prettyName }),
          supplier: { name: prettyName ?? id, ...(url === undefined ? {} : { url }) },
          ...(url === undefined ? {} : { externalReferences: [{ type: 'website' as const, url }] }),
          locations: [{ path: file.path, layer: file.layer }],
          technique: 'manifest-analysis',
          confidence: 1,
          dependencies: 'complete',
          ...(file.fact.sha256 === undefined
            ? {}
            : { manifestHash: { of: 'os-release', algorithm: 'SHA-256' as const, hex: file.fact.sha256 } }),
        },
      ],
    };
  },
};
