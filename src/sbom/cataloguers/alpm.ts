import type { Cataloguer, CatalogueView, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { defined, textOf } from './formats/json-fields.ts';
import { parsePerson, webAddress } from './formats/supplier.ts';

/** What pacman's database says of one package. */
export interface AlpmPackage {
  readonly name: string;
  readonly version: string;
  readonly base?: string;
  readonly arch?: string;
  readonly licences?: readonly string[];
  readonly packager?: string;
  readonly url?: string;
  readonly requires?: readonly string[];
  readonly provides?: readonly string[];
}

const descriptionBytes = 4 * 1024 * 1024;

/** Packages of Arch Linux and its kin: `var/lib/pacman/local/<name>-<version>/desc`. */
export const alpm: Cataloguer<AlpmPackage> = {
  name: 'alpm',
  version: 1,
  rules: [
    {
      select: {
        names: ['desc'],
        accept: ({ path }) => /(?:^|\/)var\/lib\/pacman\/local\/[^/]+\/desc$/.test(path),
      },
      maxBytes: descriptionBytes,
      parse: parseAlpmDescription,
    },
  ],
  assemble(view) {
    const refs = new Map<string, string>();
    for (const { fact } of view.files) {
      for (const provided of fact.provides ?? []) refs.set(provided, identityOf(view, fact).ref);
    }
    for (const { fact } of view.files) refs.set(fact.name, identityOf(view, fact).ref);
    return { components: view.files.map((file) => componentOf(view, file, refs)) };
  },
};

/** Reads `desc`: blocks of a `%NAME%` line and its values, a line each, up to an empty line. */
export function parseAlpmDescription(content: Uint8Array): AlpmPackage | undefined {
  const fields = new Map<string, string[]>();
  let values: string[] = [];
  for (const line of textOf(content).split('\n')) {
    const header = /^%([A-Z\d]+)%$/.exec(line)?.[1];
    if (header !== undefined) fields.set(header, (values = []));
    else if (line !== '') values.push(line);
  }
  const first = (name: string): string | undefined => fields.get(name)?.[0];
  const name = first('NAME');
  const version = first('VERSION');
  if (name === undefined || version === undefined) return undefined;
  return {
    name,
    version,
    ...defined({
      base: first('BASE'),
      arch: first('ARCH'),
      licences: fields.get('LICENSE'),
      packager: first('PACKAGER'),
      url: webAddress(first('URL')),
      requires: fields.get('DEPENDS')?.map(withoutVersion),
      provides: fields.get('PROVIDES')?.map(withoutVersion),
    }),
  };
}

function withoutVersion(dependency: string): string {
  return dependency.split(/[<>=]/)[0] ?? dependency;
}

function componentOf(
  view: CatalogueView<AlpmPackage>,
  { path, layer, fact }: FoundFile<AlpmPackage>,
  refs: ReadonlyMap<string, string>,
): FoundComponent {
  const required = (fact.requires ?? []).map((name) => refs.get(name));
  const dependsOn = required.filter((ref) => ref !== undefined);
  return {
    ...identityOf(view, fact),
    ...defined({
      licences: fact.licences,
      supplier: parsePerson(fact.packager),
      externalReferences: fact.url === undefined ? undefined : [{ type: 'website' as const, url: fact.url }],
      properties:
        fact.base === undefined || fact.base === fact.name ? undefined : { 'source-package': fact.base },
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

function identityOf(view: CatalogueView<AlpmPackage>, { name, version, base, arch }: AlpmPackage) {
  const qualifiers = { arch, distro: view.distro?.qualifier, upstream: base === name ? undefined : base };
  return identify({ type: 'alpm', namespace: view.distro?.id ?? 'arch', name, version, qualifiers });
}
