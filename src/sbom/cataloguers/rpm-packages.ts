import { isOwnershipKept } from '../cataloguer.ts';
import { definedFields } from '../defined-fields.ts';
import type { RpmHeader } from './rpm-header.ts';

/** One installed RPM package, as plain data. */
export interface RpmPackage {
  readonly name: string;
  /** Version and release: `1.2.3-4.el9`. */
  readonly version: string;
  readonly epoch?: number;
  readonly architecture?: string;
  readonly vendor?: string;
  readonly licence?: string;
  readonly url?: string;
  /** File name of the source package. */
  readonly sourceRpm?: string;
  readonly modularity?: string;
  /** Hashes of the package's header, hex. */
  readonly sha1?: string;
  readonly sha256?: string;
  /** Indexes, in the same list, of the packages that it requires. */
  readonly needs: readonly number[];
  /** False if it has requirements that are conditions (`(a if b)`), which are not followed. */
  readonly needsComplete: boolean;
  /** Its files that matter for ownership, without leading slash. */
  readonly paths: readonly string[];
}

/**
 * Packages of one database with their requirements resolved to each other, by what they provide and by the files that
 * they hold. Keys of signers (`gpg-pubkey`) are records of the database but no packages.
 */
export function linkRpmPackages(headers: readonly RpmHeader[]): readonly RpmPackage[] {
  const packages = headers.filter(({ name }) => name !== 'gpg-pubkey').sort(compareHeaders);
  const providers = indexProviders(packages);
  return packages.map((header, index) => {
    const { name, version, release, epoch, architecture, vendor, licence, sourceRpm, modularity } = header;
    const { requires, sha1, sha256 } = header;
    const needs = new Set(requires.flatMap((required) => providers.get(required) ?? []));
    needs.delete(index);
    const url = header.url !== undefined && URL.canParse(header.url) ? header.url : undefined;
    return {
      name,
      version: release === '' ? version : `${version}-${release}`,
      ...definedFields({ epoch, architecture, vendor, licence, url, sourceRpm, modularity, sha1, sha256 }),
      needs: [...needs].sort((a, b) => a - b),
      needsComplete: !requires.some((required) => required.startsWith('(')),
      paths: header.files.map((path) => path.slice(1)).filter(isOwnershipKept),
    };
  });
}

/** The order in the database is that of installation; ours is the same for the same set. */
function compareHeaders(a: RpmHeader, b: RpmHeader): number {
  const [left, right] = [a, b].map(
    ({ name, version, release, architecture }) => `${name}\0${version}\0${release}\0${architecture ?? ''}`,
  );
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function indexProviders(packages: readonly RpmHeader[]): ReadonlyMap<string, number> {
  const wantedFiles = new Set(
    packages.flatMap(({ requires }) => requires.filter((name) => name.startsWith('/'))),
  );
  const providers = new Map<string, number>();
  for (const [index, { provides, files }] of packages.entries()) {
    for (const name of [...provides, ...files.filter((path) => wantedFiles.has(path))]) {
      if (!providers.has(name)) providers.set(name, index);
    }
  }
  for (const [index, { name }] of packages.entries()) providers.set(name, index);
  return providers;
}
