import type { Cataloguer, CatalogueView, FileStat, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { parseIntegrity } from './formats/integrity.ts';
import { defined } from './formats/json-fields.ts';
import { repositoryOwner } from './formats/supplier.ts';
import { ZipArchive } from './formats/zip-archive.ts';
import { parseNpmLock, parsePnpmLock, parseYarnLock } from './npm-lock-file.ts';
import type { NpmLockEntry } from './npm-lock-file.ts';
import { parseNpmManifest } from './npm-manifest.ts';
import type { NpmManifest } from './npm-manifest.ts';
import { folderOf, NpmLocks, placementOf, resolveDependency } from './npm-resolution.ts';
import type { NpmFact, NpmPlacement } from './npm-resolution.ts';

const manifestBytes = 1024 * 1024;
const lockBytes = 16 * 1024 * 1024;
const archiveBytes = 64 * 1024 * 1024;
const archiveLimits = { entries: 100_000 };

/** Parts of an image in which a manifest outside node_modules is a library: where distributions put Node packages. */
const distributionFolder = /^usr\/(?:share\/nodejs|share\/javascript|lib\/nodejs)\//;

/**
 * npm packages: every manifest with a name and a version, wherever npm, Yarn or pnpm put it. Lock files only tell more
 * of what is installed (integrity, development-only); what they name and the image does not hold is no component, only
 * counted on the project, for it may have been bundled.
 */
export const npm: Cataloguer<NpmFact> = {
  name: 'npm',
  version: 2,
  rules: [
    {
      select: { names: ['package.json'] },
      maxBytes: manifestBytes,
      digests: ['sha256'],
      parse: (content, file, { sha256 }) => {
        const manifest = parseFoundManifest(content, file);
        return manifest === undefined ? undefined : { ...manifest, ...defined({ sha256 }) };
      },
    },
    {
      select: { names: ['.package-lock.json', 'package-lock.json', 'npm-shrinkwrap.json'] },
      maxBytes: lockBytes,
      parse: parseNpmLock,
    },
    { select: { names: ['yarn.lock'] }, maxBytes: lockBytes, parse: parseYarnLock },
    {
      select: {
        names: ['pnpm-lock.yaml', 'lock.yaml'],
        accept: ({ path }) => path.endsWith('pnpm-lock.yaml') || path.endsWith('.pnpm/lock.yaml'),
      },
      maxBytes: lockBytes,
      parse: parsePnpmLock,
    },
    {
      select: { extensions: ['.zip'], accept: ({ path }) => path.includes('.yarn/cache/') },
      maxBytes: archiveBytes,
      parse: parseCachedPackage,
    },
  ],
  assemble(view) {
    const manifests = view.files.filter(isManifest);
    const locks = new NpmLocks(view.files);
    const folders = new Set(manifests.map(({ path }) => folderOf(path)));
    const installed = new Set(manifests.map(({ fact }) => `${fact.name}@${fact.version ?? ''}`));
    const components = manifests.flatMap((file) => {
      const folder = folderOf(file.path);
      const placement = file.path.endsWith('.zip') ? 'installed' : placementOf(folder);
      if (file.fact.version === undefined) return [];
      const missing = placement === 'project' ? locks.missingIn(folder, installed, folders) : 0;
      return [componentOf(file, placement, { view, entry: locks.find(folder, file.fact), missing })];
    });
    return { components };
  },
};

/** Packages bring broken manifests along as test data; only where npm itself reads one is damage worth a note. */
function parseFoundManifest(content: Uint8Array, { path }: FileStat): NpmManifest | undefined {
  if (placementOf(folderOf(path)) === 'installed') return parseNpmManifest(content);
  try {
    return parseNpmManifest(content);
  } catch {
    return undefined;
  }
}

/** Yarn's Plug'n'Play keeps each package as a zip archive and reads it from there. */
function parseCachedPackage(content: Uint8Array): NpmManifest | undefined {
  const archive = ZipArchive.open(content, archiveLimits);
  const entry = archive.entries.find(({ name }) =>
    /^node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/.test(name),
  );
  return entry === undefined ? undefined : parseNpmManifest(archive.read(entry, manifestBytes));
}

function isManifest(file: FoundFile<NpmFact>): file is FoundFile<NpmManifest> {
  return file.fact.kind === 'manifest';
}

interface Surroundings {
  readonly view: CatalogueView<NpmFact>;
  readonly entry: NpmLockEntry | undefined;
  readonly missing: number;
}

function componentOf(
  { path, layer, fact }: FoundFile<NpmManifest>,
  placement: NpmPlacement,
  { view, entry, missing }: Surroundings,
): FoundComponent {
  const { group, name } = splitName(fact.name);
  const isApplication = placement === 'project' && !distributionFolder.test(path);
  return {
    ...identityOf(fact),
    ...defined({
      type: isApplication ? ('application' as const) : undefined,
      group,
      version: fact.version,
      supplier: supplierOf(fact, group),
      ...lockedParts(fact, entry),
    }),
    name,
    locations: [{ path, layer }],
    technique: 'manifest-analysis',
    confidence: placement === 'vendored' ? 0.7 : 1,
    externalReferences: referencesOf(fact, entry),
    ...edgesOf(view, folderOf(path), fact),
    ...propertiesOf(placement, missing),
  };
}

/** Who wrote it, else the account of its repository or scope, else the domain of its website. */
function supplierOf({ author, repository, homepage }: NpmManifest, scope: string | undefined) {
  const account = repositoryOwner(repository) ?? repositoryOwner(homepage);
  const site = homepage === undefined ? undefined : { name: new URL(homepage).hostname, url: homepage };
  return author ?? account ?? (scope === undefined ? site : { name: scope });
}

/** What a lock file tells better than the manifest, or alone. */
function lockedParts(fact: NpmManifest, entry: NpmLockEntry | undefined) {
  const integrity = entry?.integrity ?? fact.integrity;
  const hashes = integrity === undefined ? [] : parseIntegrity(integrity);
  return {
    licences: fact.licences ?? (entry?.licence === undefined ? undefined : [entry.licence]),
    hashes: hashes.length > 0 ? hashes : undefined,
    manifestHash:
      fact.sha256 === undefined
        ? undefined
        : { of: 'package.json', algorithm: 'SHA-256' as const, hex: fact.sha256 },
    scope: entry?.scope,
  };
}

function identityOf(manifest: NpmManifest) {
  const { group, name } = splitName(manifest.name);
  return identify({ type: 'npm', namespace: group, name, version: manifest.version });
}

function splitName(name: string): { group: string | undefined; name: string } {
  const slash = name.startsWith('@') ? name.indexOf('/') : -1;
  return { group: slash < 0 ? undefined : name.slice(0, slash), name: name.slice(slash + 1) };
}

function edgesOf(view: CatalogueView<NpmFact>, folder: string, manifest: NpmManifest) {
  const resolve = (name: string): string[] => {
    const found = resolveDependency(view, folder, name);
    return found?.version === undefined ? [] : [identityOf(found).ref];
  };
  const required = (manifest.required ?? []).map(resolve);
  const dependsOn = [...required, ...(manifest.possible ?? []).map(resolve)].flat();
  const isComplete = required.every((refs) => refs.length > 0);
  return { dependsOn, dependencies: isComplete ? ('complete' as const) : ('incomplete' as const) };
}

function referencesOf(manifest: NpmManifest, entry: NpmLockEntry | undefined) {
  const references: { type: 'vcs' | 'website' | 'distribution'; url: string }[] = [];
  if (manifest.repository !== undefined) references.push({ type: 'vcs', url: manifest.repository });
  else if (manifest.homepage !== undefined) references.push({ type: 'website', url: manifest.homepage });
  if (entry?.resolved !== undefined) references.push({ type: 'distribution', url: entry.resolved });
  return references;
}

function propertiesOf(placement: NpmPlacement, missing: number) {
  const properties: Record<string, string> = {};
  if (placement === 'vendored') properties['npm:placement'] = 'inside another package';
  if (missing > 0) properties['npm:locked-but-not-installed'] = String(missing);
  return Object.keys(properties).length > 0 ? { properties } : {};
}
