import { asObject, asText, defined, parseJsonObject, textOf } from './formats/json-fields.ts';
import type { JsonObject } from './formats/json-fields.ts';

/** What a lock file says of one package. */
export interface NpmLockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly licence?: string;
  readonly scope?: 'excluded' | 'optional';
}

/** npm's lock files: entries by folder, relative to the folder of the lock file's project. */
export interface NpmFolderLock {
  readonly kind: 'folders';
  readonly entries: Readonly<Record<string, NpmLockEntry>>;
}

/** Yarn's and pnpm's: entries by `name@version`, since they do not say which folder a package went to. */
export interface NpmVersionLock {
  readonly kind: 'versions';
  readonly entries: Readonly<Record<string, NpmLockEntry>>;
}

/**
 * Reads npm's `node_modules/.package-lock.json`, `package-lock.json` or `npm-shrinkwrap.json`: lockfileVersion 2 and 3
 * by `packages`, 1 by `dependencies`.
 */
export function parseNpmLock(content: Uint8Array): NpmFolderLock {
  const lock = parseJsonObject(content);
  const entries: Record<string, NpmLockEntry> = {};
  if (lock['packages'] === undefined) addLegacy(entries, asObject(lock['dependencies']), '', 0);
  for (const [folder, value] of Object.entries(asObject(lock['packages']))) {
    const entry = asObject(value);
    if (folder.includes('node_modules/') && entry['link'] !== true) entries[folder] = entryOf(entry);
  }
  return { kind: 'folders', entries };
}

/** Nesting in version 1 follows node_modules; nothing installable is nested deeper than paths can be. */
const maxNesting = 100;

function addLegacy(
  entries: Record<string, NpmLockEntry>,
  packages: JsonObject,
  parent: string,
  depth: number,
): void {
  if (depth > maxNesting) throw new Error('lock file nested too deeply');
  for (const [name, value] of Object.entries(packages)) {
    const entry = asObject(value);
    const folder = `${parent}node_modules/${name}`;
    entries[folder] = entryOf(entry);
    addLegacy(entries, asObject(entry['dependencies']), `${folder}/`, depth + 1);
  }
}

function entryOf(entry: JsonObject): NpmLockEntry {
  const isOptional = entry['optional'] === true || entry['devOptional'] === true;
  return defined({
    version: asText(entry['version']),
    integrity: asText(entry['integrity']),
    resolved: ownRegistry(asText(entry['resolved'])),
    licence: asText(entry['license']),
    scope: entry['dev'] === true ? ('excluded' as const) : isOptional ? ('optional' as const) : undefined,
  });
}

/** Addresses at the public registry follow from name and version: keeping them would only make the BOM larger. */
function ownRegistry(resolved: string | undefined): string | undefined {
  if (resolved === undefined || !/^https?:/.test(resolved)) return undefined;
  return /^https:\/\/registry\.(?:npmjs\.org|yarnpkg\.com)\//.test(resolved) ? undefined : resolved;
}

/** Reads `yarn.lock`, version 1 (its own format) or Berry's (YAML of fixed shape). Linear in the text's length. */
export function parseYarnLock(content: Uint8Array): NpmVersionLock {
  const entries: Record<string, NpmLockEntry> = {};
  for (const block of blocksOf(textOf(content).split('\n'), 0)) {
    const specifier = unquote(block.key.split(',')[0] ?? '');
    const name = specifier.slice(0, Math.max(0, specifier.indexOf('@', 1)));
    const version = fieldOf(block.lines, /^version:? "?([^"\s]+)"?$/);
    if (name === '' || version === undefined || specifier.includes('@workspace:')) continue;
    const resolved = ownRegistry(fieldOf(block.lines, /^resolved "([^"#]+)/));
    entries[`${name}@${version}`] = defined({
      integrity: fieldOf(block.lines, /^integrity (\S+)$/),
      resolved,
    });
  }
  return { kind: 'versions', entries };
}

/** Reads `pnpm-lock.yaml` or `node_modules/.pnpm/lock.yaml`, lockfileVersion 5 to 9. Linear in the text's length. */
export function parsePnpmLock(content: Uint8Array): NpmVersionLock {
  const lines = textOf(content).split('\n');
  const start = lines.findIndex((line) => line.trimEnd() === 'packages:');
  const entries: Record<string, NpmLockEntry> = {};
  if (start < 0) return { kind: 'versions', entries };
  const next = lines.findIndex((line, index) => index > start && /^\S/.test(line));
  for (const block of blocksOf(lines.slice(start + 1, next < 0 ? undefined : next), 2)) {
    const key = pnpmKey(unquote(block.key));
    if (key === undefined) continue;
    const isDev = block.lines.includes('dev: true');
    const isOptional = block.lines.includes('optional: true');
    entries[key] = defined({
      integrity: fieldOf(block.lines, /\bintegrity: ([^\s,}]+)/),
      scope: isDev ? ('excluded' as const) : isOptional ? ('optional' as const) : undefined,
    });
  }
  return { kind: 'versions', entries };
}

/** `name@version` of `/name/1.0.0_peer` (5), `/name@1.0.0(peer)` (6) or `name@1.0.0` (9). */
function pnpmKey(key: string): string | undefined {
  const [bare = ''] = key.replace(/^\//, '').split('(');
  const [, name, version] = /^((?:@[^/]+\/)?[^/@]+)\/(\d[^_/]*)/.exec(bare) ?? [];
  if (name !== undefined && version !== undefined) return `${name}@${version}`;
  return bare.indexOf('@', 1) > 0 ? bare : undefined;
}

interface Block {
  readonly key: string;
  /** Trimmed. */
  readonly lines: readonly string[];
}

/** Groups lines into blocks: a key at `indent` that ends in a colon, and what is indented deeper below it. */
function blocksOf(lines: readonly string[], indent: number): Block[] {
  const blocks: { key: string; lines: string[] }[] = [];
  for (const raw of lines) {
    const line = raw.trimEnd();
    const trimmed = line.trimStart();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (line.length - trimmed.length > indent) blocks.at(-1)?.lines.push(trimmed);
    else if (line.endsWith(':')) blocks.push({ key: trimmed.slice(0, -1), lines: [] });
  }
  return blocks;
}

function fieldOf(lines: readonly string[], pattern: RegExp): string | undefined {
  for (const line of lines) {
    const value = pattern.exec(line)?.[1];
    if (value !== undefined) return value;
  }
  return undefined;
}

function unquote(text: string): string {
  return text.trim().replace(/^["']|["']$/g, '');
}
