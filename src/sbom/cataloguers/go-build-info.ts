import { defined } from './formats/json-fields.ts';
import type { ElfFile } from './formats/elf-file.ts';

/** One module of a Go program. */
export interface GoModule {
  readonly path: string;
  /** Absent for what was built from a folder. */
  readonly version?: string;
  /** `h1:` directory hash of go.sum. */
  readonly sum?: string;
  /** `path@version` of the module in whose place this one was used. */
  readonly replaces?: string;
}

/** What Go's linker wrote into a program (debug/buildinfo). */
export interface GoBuildInfo {
  /** As in `go1.26.1`, or a development version's text. */
  readonly goVersion: string;
  /** Import path of package main. */
  readonly path?: string;
  readonly main?: GoModule;
  readonly modules: readonly GoModule[];
  /** Version that `-ldflags -X` gave to a variable of the main module. */
  readonly stampedVersion?: string;
  readonly revision?: string;
  /** RFC 3339. */
  readonly revisionTime?: string;
}

/** First bytes of the build information. */
export const goInfoMagic: Buffer = Buffer.from('\xff Go buildinf:', 'latin1');

/** Bytes before the inline strings. */
const headerBytes = 32;
const inlineStrings = 2;
const markerBytes = 16;
const maxModulesText = 16 * 1024 * 1024;

/** Finds and reads the build information of an ELF file; undefined if it is no Go program. */
export function readGoBuildInfo(elf: ElfFile): GoBuildInfo | undefined {
  const section = elf.section('.go.buildinfo');
  if (section !== undefined && section.content.length >= headerBytes) return readBlob(section.content, elf);
  for (const segment of elf.loadSegments()) {
    if (!segment.isWritable) continue;
    const bytes = elf.atAddress(segment.address, segment.fileBytes);
    const at = findMagic(bytes);
    if (at >= 0) return readBlob(bytes.subarray(at), elf);
  }
  return undefined;
}

/** The linker aligns the information to 16 bytes, which tells it from other mentions of the magic. */
function findMagic(bytes: Buffer): number {
  let at = bytes.indexOf(goInfoMagic);
  while (at >= 0 && at % 16 !== 0) at = bytes.indexOf(goInfoMagic, at + 1);
  return at;
}

function readBlob(blob: Buffer, elf: ElfFile): GoBuildInfo | undefined {
  if (!blob.subarray(0, goInfoMagic.length).equals(goInfoMagic)) return undefined;
  const inline = readInlineInfo(blob);
  if (inline === 'cut') throw new Error('Go build information is cut off');
  return inline ?? readPointedInfo(blob, elf);
}

/**
 * Reads the format that Go 1.18 and newer write: both strings behind the header. `cut`: more bytes are needed;
 * undefined: another format, or no build information at all.
 */
export function readInlineInfo(blob: Buffer): GoBuildInfo | 'cut' | undefined {
  if (blob.length < headerBytes) return 'cut';
  if (((blob[15] ?? 0) & inlineStrings) === 0) return undefined;
  const version = readVarString(blob, headerBytes);
  if (version === undefined) return 'cut';
  const goVersion = version.content.toString('utf8');
  if (!isGoVersion(goVersion)) return undefined;
  const modules = readVarString(blob, version.end);
  if (modules === undefined) return 'cut';
  return parseGoModules(goVersion, modules.content);
}

function isGoVersion(text: string): boolean {
  return /^(?:go\d|devel )/.test(text);
}

function readVarString(blob: Buffer, start: number): { content: Buffer; end: number } | undefined {
  let length = 0;
  let at = start;
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = blob[at];
    if (byte === undefined) return undefined;
    at += 1;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > maxModulesText) throw new Error('Go build information is too large');
  if (at + length > blob.length) return undefined;
  return { content: blob.subarray(at, at + length), end: at + length };
}

/** Reads the format of Go 1.13 to 1.17: pointers to two Go strings (pointer and length each). */
function readPointedInfo(blob: Buffer, elf: ElfFile): GoBuildInfo | undefined {
  const pointerBytes = blob[14] ?? 0;
  if (pointerBytes !== 4 && pointerBytes !== 8) return undefined;
  const textAt = (at: number): Buffer => {
    const header = elf.atAddress(elf.pointer(blob, at, pointerBytes), 2 * pointerBytes);
    if (header.length < 2 * pointerBytes) return Buffer.alloc(0);
    const length = elf.pointer(header, pointerBytes, pointerBytes);
    if (length > maxModulesText) throw new Error('Go build information is too large');
    return elf.atAddress(elf.pointer(header, 0, pointerBytes), length);
  };
  const goVersion = textAt(16).toString('utf8');
  return isGoVersion(goVersion) ? parseGoModules(goVersion, textAt(16 + pointerBytes)) : undefined;
}

/** Reads the module text, which stands between two markers of 16 bytes; it is empty for programs built without modules. */
function parseGoModules(goVersion: string, marked: Buffer): GoBuildInfo {
  const text = marked
    .subarray(markerBytes, Math.max(markerBytes, marked.length - markerBytes))
    .toString('utf8');
  const modules: GoModule[] = [];
  const settings = new Map<string, string>();
  let path: string | undefined;
  let main: GoModule | undefined;
  for (const line of text.split('\n')) {
    const [kind, ...parts] = line.split('\t');
    if (kind === 'path') path = parts[0];
    else if (kind === 'mod') main = moduleOf(parts);
    else if (kind === 'dep') modules.push(moduleOf(parts));
    else if (kind === '=>') replaceLast(modules, moduleOf(parts));
    else if (kind === 'build') addSetting(settings, parts.join('\t'));
  }
  return defined({
    goVersion,
    path,
    main,
    modules,
    stampedVersion: stampedVersionOf(settings.get('-ldflags'), main?.path),
    revision: settings.get('vcs.revision'),
    revisionTime: settings.get('vcs.time'),
  });
}

function moduleOf([path = '', version, sum]: readonly string[]): GoModule {
  const isKnown = version !== undefined && version !== '' && version !== '(devel)';
  return { path, ...defined({ version: isKnown ? version : undefined, sum: sum === '' ? undefined : sum }) };
}

function replaceLast(modules: GoModule[], replacement: GoModule): void {
  const replaced = modules.pop();
  if (replaced === undefined) return;
  const isFolder = replacement.version === undefined;
  const replaces = `${replaced.path}@${replaced.version ?? ''}`;
  modules.push(isFolder ? { ...replaced, replaces: 'a folder' } : { ...replacement, replaces });
}

function addSetting(settings: Map<string, string>, setting: string): void {
  const equals = setting.indexOf('=');
  const value = setting.slice(equals + 1);
  settings.set(setting.slice(0, equals), value.startsWith('"') ? unquote(value) : value);
}

/** Go quotes as JSON does, but for escapes that do not occur in what is read here. */
function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted.slice(1, -1);
  }
}

/** Programs tell their version by `-X main.version=v1.2.3` and the like. */
function stampedVersionOf(ldflags: string | undefined, mainPath: string | undefined): string | undefined {
  if (ldflags === undefined || ldflags.length > 100_000) return undefined;
  const assignment = /-X[\s=]+['"]?([^\s'"=]+)=['"]?v?(\d+\.\d+\.\d+(?:[-+][\w.+-]*)?)(?=['"\s]|$)/g;
  for (const [, variable = '', version = ''] of ldflags.matchAll(assignment)) {
    const isOwn =
      variable.startsWith('main.') || (mainPath !== undefined && variable.startsWith(`${mainPath}/`));
    if (isOwn && /version|release|tag$/i.test(variable.slice(variable.lastIndexOf('.') + 1)))
      return `v${version}`;
  }
  return undefined;
}
