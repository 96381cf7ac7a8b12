import type { Cataloguer, CatalogueView, FileStat, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { parseCycloneDx } from './formats/cyclonedx-document.ts';
import type { EmbeddedBom } from './formats/cyclonedx-document.ts';
import { embeddedComponents, embeddedRoots, unversionedNames } from './formats/embedded-components.ts';
import { defined } from './formats/json-fields.ts';
import { repositoryOwner } from './formats/supplier.ts';
import { normalisePythonName, parsePythonMetadata, parsePythonOrigin } from './python-metadata.ts';
import type { PythonMetadata, PythonOrigin } from './python-metadata.ts';

interface PythonBom {
  readonly kind: 'bom';
  readonly bom: EmbeddedBom;
}

/** What a file says about Python distributions. */
export type PythonFact = PythonMetadata | PythonOrigin | PythonBom;

const metadataBytes = 4 * 1024 * 1024;
const bomBytes = 16 * 1024 * 1024;

/**
 * Installed Python distributions: wheels (`*.dist-info`) and eggs, each with the BOMs that it brings along (PEP 770).
 * Edges are `Requires-Dist` between distributions of one site-packages folder; markers are read roughly: requirements
 * of extras and of other systems are left out, others count if they are installed.
 */
export const python: Cataloguer<PythonFact> = {
  name: 'python',
  version: 2,
  rules: [
    {
      select: { names: ['METADATA', 'PKG-INFO'], extensions: ['.egg-info'], accept: isMetadata },
      maxBytes: metadataBytes,
      digests: ['sha256'],
      parse: (content, _file, { sha256 }) => parsePythonMetadata(content, sha256),
    },
    {
      select: { names: ['direct_url.json'], accept: ({ path }) => path.includes('.dist-info/') },
      maxBytes: metadataBytes,
      parse: parsePythonOrigin,
    },
    {
      select: { parents: ['sboms'], accept: ({ path }) => /\.dist-info\/sboms\/[^/]+\.json$/.test(path) },
      maxBytes: bomBytes,
      parse: (content): PythonBom | undefined => {
        const bom = parseCycloneDx(content);
        return bom === undefined ? undefined : { kind: 'bom', bom };
      },
    },
  ],
  assemble(view) {
    const sites = indexSites(view);
    const boms = view.files.filter((file): file is FoundFile<PythonBom> => file.fact.kind === 'bom');
    const components = view.files.flatMap((file) => {
      if (file.fact.kind !== 'metadata') return [];
      const folder = infoFolder(file.path);
      const own = boms.filter(({ path }) => path.startsWith(`${folder}/`));
      const embedded = own.flatMap(({ path, layer, fact }) =>
        embeddedComponents(fact.bom, { location: { path, layer }, origin: 'PEP 770' }),
      );
      const roots = own.flatMap(({ fact }) => embeddedRoots(fact.bom));
      const unversioned = own.flatMap(({ fact }) => unversionedNames(fact.bom));
      return [distributionOf({ ...file, fact: file.fact }, { view, sites, roots, unversioned }), ...embedded];
    });
    return { components };
  },
};

function isMetadata({ path }: FileStat): boolean {
  return /(?:\.dist-info\/METADATA|\.egg-info(?:\/PKG-INFO)?|(?:^|\/)EGG-INFO\/PKG-INFO)$/i.test(path);
}

/** The `.dist-info` or `.egg-info` folder (or file) that a metadata file stands for. */
function infoFolder(path: string): string {
  return path.endsWith('.egg-info') ? path : path.slice(0, path.lastIndexOf('/'));
}

/** The folder that Python imports from: site-packages, dist-packages, a zipped application's root. */
function siteFolder(path: string): string {
  const info = infoFolder(path);
  const parent = info.slice(0, Math.max(0, info.lastIndexOf('/')));
  return info.endsWith('EGG-INFO') ? parent.slice(0, Math.max(0, parent.lastIndexOf('/'))) : parent;
}

type Sites = ReadonlyMap<string, ReadonlyMap<string, FoundFile<PythonMetadata>>>;

function indexSites(view: CatalogueView<PythonFact>): Sites {
  const sites = new Map<string, Map<string, FoundFile<PythonMetadata>>>();
  for (const { path, layer, fact } of view.files) {
    if (fact.kind !== 'metadata') continue;
    const site = sites.get(siteFolder(path)) ?? new Map<string, FoundFile<PythonMetadata>>();
    sites.set(siteFolder(path), site);
    site.set(normalisePythonName(fact.name), { path, layer, fact });
  }
  return sites;
}

interface Surroundings {
  readonly view: CatalogueView<PythonFact>;
  readonly sites: Sites;
  /** What the BOMs in its own folder say that it contains. */
  readonly roots: readonly string[];
  /** What they name without a version. */
  readonly unversioned: readonly string[];
}

function distributionOf(
  { path, layer, fact }: FoundFile<PythonMetadata>,
  { view, sites, roots, unversioned }: Surroundings,
): FoundComponent {
  const origin = originOf(view, path);
  const required = requiredOf(fact, path, sites);
  return {
    ...identityOf(fact, origin),
    ...defined({
      supplier: fact.author ?? repositoryOwner(fact.repository ?? fact.homepage),
      licences: fact.licences,
      hashes:
        origin?.sha256 === undefined ? undefined : [{ algorithm: 'SHA-256' as const, hex: origin.sha256 }],
      manifestHash:
        fact.sha256 === undefined
          ? undefined
          : { of: metadataName(path), algorithm: 'SHA-256' as const, hex: fact.sha256 },
    }),
    name: normalisePythonName(fact.name),
    version: fact.version,
    locations: [{ path, layer }],
    technique: 'manifest-analysis',
    confidence: 1,
    externalReferences: referencesOf(fact, origin),
    dependsOn: [...required.map((one) => identityOf(one.fact, originOf(view, one.path)).ref), ...roots],
    dependencies: required.length === (fact.requires ?? []).length ? 'complete' : 'incomplete',
    properties: defined({
      'python:editable': origin?.isEditable === true ? origin.url : undefined,
      'embedded-bom:unversioned': unversioned.length > 0 ? unversioned.join(', ') : undefined,
    }),
  };
}

function metadataName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function requiredOf(fact: PythonMetadata, path: string, sites: Sites): FoundFile<PythonMetadata>[] {
  const own = siteFolder(path);
  // A virtual environment may see the interpreter's own packages, and Debian splits them over two folders.
  const order = [own, ...[...sites.keys()].filter((site) => site !== own)];
  return (fact.requires ?? []).flatMap((name) => {
    const site = order.find((folder) => sites.get(folder)?.has(name) === true);
    return site === undefined ? [] : (sites.get(site)?.get(name) ?? []);
  });
}

function originOf(view: CatalogueView<PythonFact>, path: string): PythonOrigin | undefined {
  const fact = view.find(`${infoFolder(path)}/direct_url.json`)?.fact;
  return fact?.kind === 'origin' ? fact : undefined;
}

function identityOf(metadata: PythonMetadata, origin: PythonOrigin | undefined) {
  return identify({
    type: 'pypi',
    name: normalisePythonName(metadata.name),
    version: metadata.version,
    qualifiers: { vcs_url: origin?.vcsUrl },
  });
}

function referencesOf(fact: PythonMetadata, origin: PythonOrigin | undefined) {
  const references: { type: 'vcs' | 'website' | 'distribution'; url: string }[] = [];
  if (fact.repository !== undefined) references.push({ type: 'vcs', url: fact.repository });
  else if (fact.homepage !== undefined) references.push({ type: 'website', url: fact.homepage });
  if (origin !== undefined && /^https?:/.test(origin.url))
    references.push({ type: 'distribution', url: origin.url });
  return references;
}
