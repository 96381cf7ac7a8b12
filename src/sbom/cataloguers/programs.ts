import type { Cataloguer, CatalogueView, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { defined } from './formats/json-fields.ts';
import { ProgramSearch } from './program-search.ts';
import type { ProgramFact } from './program-search.ts';
import { programPatterns } from './program-table.ts';
import type { ProgramPattern } from './program-table.ts';

/** What a file says about programs that no package manager installed. */
export type ProgramsFact = ProgramFact | { readonly kind: 'runtime' };

const releaseBytes = 512 * 1024;

/**
 * Widespread programs that an image's maker compiled: found by name, identified by the version text in them. Those
 * that a distribution's package owns are known already, and so is a Java runtime with a `release` file.
 */
export const programs: Cataloguer<ProgramsFact> = {
  name: 'programs',
  version: 2,
  rules: [
    {
      select: { magic: ['elf'], accept: ({ path }) => patternsFor(path).length > 0 },
      digests: ['sha256'],
      open: ({ path }) => new ProgramSearch(patternsFor(path)),
    },
    {
      select: { names: ['release'], accept: ({ size }) => size <= releaseBytes },
      maxBytes: releaseBytes,
      parse: () => ({ kind: 'runtime' }),
    },
  ],
  assemble(view) {
    const found = view.files.filter((file): file is FoundFile<ProgramFact> => file.fact.kind === 'program');
    return { components: found.flatMap((file) => componentOf(view, file)) };
  },
};

function patternsFor(path: string): readonly ProgramPattern[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return programPatterns.filter(({ file }) => file.test(name));
}

function componentOf(
  view: CatalogueView<ProgramsFact>,
  { path, layer, fact }: FoundFile<ProgramFact>,
): FoundComponent[] {
  const pattern = programPatterns.find(({ name }) => name === fact.name);
  if (pattern === undefined || view.ownerOf(path) !== undefined) return [];
  // `<home>/bin/java` and `<home>/jre/bin/java` belong to the runtime that `<home>/release` describes.
  const homes = [path.split('/').slice(0, -2), path.split('/').slice(0, -3)].map((parts) => parts.join('/'));
  const isDescribed = homes.some((home) => view.find(`${home}/release`) !== undefined);
  if (fact.name === 'openjdk' && isDescribed) return [];
  const [vendor, product] = pattern.cpe;
  return [
    {
      ...identify({
        type: 'generic',
        namespace: pattern.namespace,
        name: pattern.name,
        version: fact.version,
      }),
      ...defined({
        supplier: pattern.supplier === undefined ? undefined : { name: pattern.supplier },
        hashes: fact.sha256 === undefined ? undefined : [{ algorithm: 'SHA-256' as const, hex: fact.sha256 }],
      }),
      type: 'application',
      name: pattern.name,
      version: fact.version,
      cpe: `cpe:2.3:a:${vendor}:${product}:${escapeCpe(fact.version)}:*:*:*:*:*:*:*`,
      locations: [{ path, layer }],
      technique: 'binary-analysis',
      confidence: 0.8,
    },
  ];
}

function escapeCpe(version: string): string {
  return version.replace(/[^\w.-]/g, (sign) => `\\${sign}`);
}
