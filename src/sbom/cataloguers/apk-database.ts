import { definedFields } from '../defined-fields.ts';

/** One installed package of apk's database. */
export interface ApkPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** Name of the source package. */
  readonly origin?: string;
  readonly licence?: string;
  readonly maintainer?: string;
  readonly url?: string;
  /** `Q1` and base64: SHA-1 of the package's control segment, not of any file. */
  readonly checksum?: string;
  /** What it needs, without versions and conflicts: names, `so:`, `cmd:`, `pc:`, paths. */
  readonly depends: readonly string[];
  /** What it provides besides its name, in the same form. */
  readonly provides: readonly string[];
  /** Its files that `keepPath` keeps. */
  readonly paths: readonly string[];
}

interface Draft {
  readonly fields: Map<string, string>;
  directory: string;
  readonly paths: string[];
}

/**
 * Reads apk's installed database: a line `X:value` for each field, an empty line between packages, `F:` and `R:` for
 * directories and files. Packages without name or version are left out.
 */
export function parseApkDatabase(text: string, keepPath: (path: string) => boolean): ApkPackage[] {
  const packages: ApkPackage[] = [];
  let draft = newDraft();
  for (const line of `${text}\n\n`.split('\n')) {
    if (line === '') {
      const found = finish(draft);
      if (found !== undefined) packages.push(found);
      draft = newDraft();
    } else if (line[1] === ':') {
      note(draft, line.charAt(0), line.slice(2), keepPath);
    }
  }
  return packages;
}

function newDraft(): Draft {
  return { fields: new Map(), directory: '', paths: [] };
}

function note(draft: Draft, key: string, value: string, keepPath: (path: string) => boolean): void {
  if (key === 'F') {
    draft.directory = value;
  } else if (key === 'R') {
    const path = draft.directory === '' ? value : `${draft.directory}/${value}`;
    if (keepPath(path)) draft.paths.push(path);
  } else if (!draft.fields.has(key)) {
    draft.fields.set(key, value);
  }
}

function finish({ fields, paths }: Draft): ApkPackage | undefined {
  const name = fields.get('P');
  const version = fields.get('V');
  if (!name || !version) return undefined;
  const url = fields.get('U');
  return {
    name,
    version,
    ...definedFields({
      architecture: fields.get('A'),
      origin: fields.get('o'),
      licence: fields.get('L'),
      maintainer: fields.get('m'),
      url: url !== undefined && URL.canParse(url) ? url : undefined,
      checksum: fields.get('C'),
    }),
    depends: splitRelations(fields.get('D')),
    provides: splitRelations(fields.get('p')),
    paths,
  };
}

/** Names without their version conditions; `!name` is a conflict and no need. */
function splitRelations(field: string | undefined): string[] {
  return (field ?? '')
    .split(' ')
    .filter((relation) => relation !== '' && !relation.startsWith('!'))
    .map((relation) => relation.replace(/[<>=~].*$/, ''));
}
