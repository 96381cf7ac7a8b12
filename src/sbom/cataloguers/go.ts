import { hash } from 'node:crypto';
import type { Cataloguer, FoundComponent, FoundFile, Location } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { ElfFile } from './formats/elf-file.ts';
import { heldElfBytes } from './formats/elf-tail.ts';
import { defined } from './formats/json-fields.ts';
import { repositoryOwner } from './formats/supplier.ts';
import { readGoBuildInfo } from './go-build-info.ts';
import type { GoBuildInfo, GoModule } from './go-build-info.ts';
import { GoInfoSearch } from './go-info-search.ts';

/** What a Go program says about itself. */
export interface GoFact {
  readonly info: GoBuildInfo;
  /** Of the program. */
  readonly sha256?: string;
}

/** Programs up to this size are read as a whole if they must be: formats from before Go 1.18 need it. */
const maxWholeBytes = 64 * 1024 * 1024;

/**
 * Go programs: the main module, every module linked in (a replacement counts instead of what it replaces), and the
 * standard library by the compiler's version. Works on stripped programs; packed ones (UPX) hide it.
 */
export const go: Cataloguer<GoFact> = {
  name: 'go',
  version: 1,
  rules: [
    {
      select: { magic: ['elf'], accept: ({ size }) => size <= heldElfBytes },
      maxBytes: heldElfBytes,
      parse: readProgram,
    },
    {
      select: { magic: ['elf'] },
      digests: ['sha256'],
      open: ({ size }) => new GoInfoSearch({ canReadWhole: size <= maxWholeBytes }),
      whole: { select: { magic: ['elf'] }, maxBytes: maxWholeBytes, parse: readProgram },
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap(componentsOf) };
  },
};

function readProgram(content: Uint8Array): GoFact | undefined {
  const elf = ElfFile.open(content);
  const info = elf === undefined ? undefined : readGoBuildInfo(elf);
  // Hashed here and not by the rule: most programs of an image are not Go's.
  return info === undefined ? undefined : { info, sha256: hash('sha256', content, 'hex') };
}

function componentsOf({ path, layer, fact }: FoundFile<GoFact>): FoundComponent[] {
  const { info } = fact;
  const location = { path, layer };
  const library = standardLibrary(info, location);
  const modules = info.modules
    .filter((one) => one.path !== info.main?.path)
    .map((one) => moduleComponent(one, location));
  const main = mainComponent(fact, location);
  if (main === undefined) return [library, ...modules];
  return [
    { ...main, dependsOn: [library, ...modules].map(({ ref }) => ref), dependencies: 'complete' },
    library,
    ...modules,
  ];
}

/** A program built from files, not from a module, has no main module, only a path. */
function mainComponent({ info, sha256 }: GoFact, location: Location): FoundComponent | undefined {
  const path =
    info.main === undefined || info.main.path === 'command-line-arguments' ? info.path : info.main.path;
  if (path === undefined || path === '' || path === 'command-line-arguments') return undefined;
  const version = mainVersion(info);
  return {
    ...moduleComponent({ path, ...defined({ version }) }, location),
    type: 'application',
    ...(sha256 === undefined ? {} : { hashes: [{ algorithm: 'SHA-256', hex: sha256 }] }),
    properties: defined({ 'go:version': info.goVersion, 'go:revision': info.revision }),
  };
}

function mainVersion(info: GoBuildInfo): string | undefined {
  if (info.main?.version !== undefined) return info.main.version;
  if (info.main?.path === 'cmd') return compilerVersion(info.goVersion);
  return info.stampedVersion ?? pseudoVersion(info);
}

/** A commit as version, in the form of the Go modules reference ("Pseudo-versions"). */
function pseudoVersion({ revision, revisionTime }: GoBuildInfo): string | undefined {
  const time = revisionTime === undefined ? Number.NaN : Date.parse(revisionTime);
  if (revision === undefined || Number.isNaN(time)) return undefined;
  const stamp = new Date(time).toISOString().replace(/\D/g, '').slice(0, 14);
  return `v0.0.0-${stamp}-${revision.slice(0, 12)}`;
}

function moduleComponent({ path, version, sum, replaces }: GoModule, location: Location): FoundComponent {
  const slash = path.lastIndexOf('/');
  const namespace = slash < 0 ? undefined : path.slice(0, slash);
  const properties = defined({ 'go:sum': sum, 'go:replaces': replaces });
  return {
    ...identify({ type: 'golang', namespace, name: path.slice(slash + 1), version }),
    ...defined({ version, supplier: supplierOf(path), manifestHash: folderHash(sum) }),
    name: path,
    locations: [location],
    technique: 'binary-analysis',
    confidence: 1,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
  };
}

/** `h1:` and in base64 the SHA-256 of the list of the module's files with their hashes (Go modules reference, "go.sum files"). */
function folderHash(sum = ''): FoundComponent['manifestHash'] {
  const hex = Buffer.from(sum.slice(3), 'base64').toString('hex');
  return sum.startsWith('h1:') && hex.length === 64
    ? { of: 'go.sum h1', algorithm: 'SHA-256', hex }
    : undefined;
}

/** The account at a code host, else the domain: whoever holds it decides what the path stands for (Go modules reference). */
function supplierOf(path: string): FoundComponent['supplier'] {
  const [domain = ''] = path.split('/');
  return repositoryOwner(`https://${path}`) ?? (domain.includes('.') ? { name: domain } : undefined);
}

function standardLibrary(info: GoBuildInfo, location: Location): FoundComponent {
  const version = compilerVersion(info.goVersion);
  return {
    ...identify({ type: 'golang', name: 'stdlib', version }),
    ...defined({ version }),
    name: 'stdlib',
    supplier: { name: 'The Go Authors', url: 'https://go.dev/' },
    licences: ['BSD-3-Clause'],
    locations: [location],
    technique: 'binary-analysis',
    confidence: 1,
    dependencies: 'complete',
  };
}

/** `1.26.1` of `go1.26.1 X:boringcrypto`. */
function compilerVersion(goVersion: string): string | undefined {
  return /\bgo(\d[\w.+-]*)/.exec(goVersion)?.[1];
}
