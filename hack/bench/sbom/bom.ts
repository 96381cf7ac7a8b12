import { readFile } from 'node:fs/promises';

/** One package that a BOM or a package manager lists, reduced to what can be compared. */
export interface ListedPackage {
  /** `type/namespace/name@version`, decoded, without qualifiers. */
  readonly key: string;
  /** Path in the image, without leading slash, if it is told. */
  readonly path: string | undefined;
}

interface Component {
  readonly type: string;
  readonly purl?: string;
  readonly properties?: readonly { readonly name: string; readonly value?: string }[];
  readonly evidence?: { readonly occurrences?: readonly { readonly location: string }[] };
}

/** The packages of a CycloneDX file by key; components without purl and the operating system are not packages. */
export async function readPackages(file: string): Promise<ReadonlyMap<string, ListedPackage>> {
  const bom = JSON.parse(await readFile(file, 'utf8')) as { readonly components?: readonly Component[] };
  return new Map(
    (bom.components ?? []).flatMap((component) => {
      if (component.purl === undefined || component.purl === '' || component.type === 'operating-system')
        return [];
      const key = keyOf(component.purl);
      return [[key, { key, path: pathOf(component) }] as const];
    }),
  );
}

/** A purl without what two catalogues may rightly write in two ways: qualifiers, subpath, encoding, the case of some types. */
export function keyOf(purl: string): string {
  const [plain = ''] = purl.replace(/^pkg:/, '').split(/[?#]/);
  const decoded = plain.split('/').map(decodeURIComponent).join('/');
  const type = decoded.slice(0, decoded.indexOf('/'));
  return type === 'pypi' ? decoded.toLowerCase().replaceAll('_', '-') : decoded;
}

/** The type of a key: `deb`, `npm` ... */
export function typeOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

function pathOf({ properties = [], evidence }: Component): string | undefined {
  const told =
    properties.find(({ name }) => name === 'syft:location:0:path')?.value ??
    evidence?.occurrences?.[0]?.location;
  return told?.replace(/^\//, '');
}
