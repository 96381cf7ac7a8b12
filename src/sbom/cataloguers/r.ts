import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { parseFieldLines } from './formats/field-lines.ts';
import { asText, defined, textOf } from './formats/json-fields.ts';
import { parsePerson, webAddress } from './formats/supplier.ts';

/** What an installed R package's DESCRIPTION says. */
export interface RPackage {
  readonly name: string;
  readonly version: string;
  readonly licence?: string;
  readonly maintainer?: string;
  readonly homepage?: string;
  readonly requires?: readonly string[];
}

const descriptionBytes = 1024 * 1024;

/** R packages: `DESCRIPTION` of each folder in a library ("Writing R Extensions", 1.1.1). `Built` tells installed ones from sources. */
export const r: Cataloguer<RPackage> = {
  name: 'r',
  version: 1,
  rules: [{ select: { names: ['DESCRIPTION'] }, maxBytes: descriptionBytes, parse: parseDescription }],
  assemble(view) {
    const refs = new Map(view.files.map(({ fact }) => [fact.name, identityOf(fact).ref]));
    return { components: view.files.map((file) => componentOf(file, refs)) };
  },
};

/** Reads a DESCRIPTION; undefined unless it is one of an installed package. */
export function parseDescription(content: Uint8Array): RPackage | undefined {
  const fields = parseFieldLines(textOf(content));
  const first = (name: string): string | undefined => asText(fields.get(name)?.[0]);
  const name = first('package');
  const version = first('version');
  if (name === undefined || version === undefined || first('built') === undefined) return undefined;
  const needs = [first('depends'), first('imports'), first('linkingto')].flatMap((list) =>
    (list ?? '').split(','),
  );
  const requires = needs
    .map((need) => (need.split('(')[0] ?? '').trim())
    .filter((need) => need !== '' && need !== 'R');
  const [homepage] = (first('url') ?? '').split(/[\s,]+/);
  return {
    name,
    version,
    ...defined({
      licence: first('license'),
      maintainer: first('maintainer'),
      homepage: webAddress(homepage),
      requires: requires.length > 0 ? [...new Set(requires)] : undefined,
    }),
  };
}

function componentOf(
  { path, layer, fact }: FoundFile<RPackage>,
  refs: ReadonlyMap<string, string>,
): FoundComponent {
  const required = (fact.requires ?? []).map((name) => refs.get(name));
  const dependsOn = required.filter((ref) => ref !== undefined);
  return {
    ...identityOf(fact),
    ...defined({
      licences: fact.licence === undefined ? undefined : [fact.licence],
      supplier: parsePerson(fact.maintainer),
      externalReferences:
        fact.homepage === undefined ? undefined : [{ type: 'website' as const, url: fact.homepage }],
    }),
    name: fact.name,
    version: fact.version,
    locations: [{ path, layer }],
    technique: 'manifest-analysis',
    confidence: 1,
    dependsOn,
    dependencies: dependsOn.length === required.length ? 'complete' : 'incomplete',
  };
}

function identityOf({ name, version }: RPackage) {
  return identify({ type: 'cran', name, version });
}
