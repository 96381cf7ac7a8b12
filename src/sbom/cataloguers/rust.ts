import { hash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { readWhole } from '../cataloguer.ts';
import type { Cataloguer, FactStream, FileStat, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { ElfFile } from './formats/elf-file.ts';
import { ElfTail, heldElfBytes } from './formats/elf-tail.ts';
import { asArray, asObject, asText, defined, parseJsonObject } from './formats/json-fields.ts';

/** One crate of a Rust program. */
export interface RustCrate {
  readonly name: string;
  readonly version: string;
  /** `crates.io`, `git`, `local` or a registry. */
  readonly source?: string;
  readonly isRoot?: boolean;
  /** Needed to build, not linked in. */
  readonly isForBuild?: boolean;
  /** Positions of its dependencies. */
  readonly needs?: readonly number[];
}

/** What cargo-auditable wrote into a program. */
export interface RustFact {
  readonly crates: readonly RustCrate[];
  /** Of the program. */
  readonly sha256: string;
}

const maxProgramBytes = 64 * 1024 * 1024;
const maxAuditBytes = 16 * 1024 * 1024;
const section = '.dep-v0';

/**
 * Rust programs built by cargo-auditable: the section `.dep-v0` holds the crates linked in and their edges, as
 * zlib-compressed JSON (cargo-auditable's PARSING.md).
 */
export const rust: Cataloguer<RustFact> = {
  name: 'rust',
  version: 1,
  rules: [
    {
      select: { magic: ['elf'], accept: ({ size }) => size <= heldElfBytes },
      maxBytes: heldElfBytes,
      parse: readProgram,
    },
    {
      select: { magic: ['elf'] },
      open: openLarge,
      whole: { select: { magic: ['elf'] }, maxBytes: maxProgramBytes, parse: readProgram },
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap(componentsOf) };
  },
};

function readProgram(content: Uint8Array): RustFact | undefined {
  const audit = ElfFile.open(content)?.section(section)?.content;
  if (audit === undefined) return undefined;
  return { crates: parseRustAudit(audit), sha256: hash('sha256', content, 'hex') };
}

function openLarge({ size }: FileStat): FactStream<RustFact> {
  const tail = new ElfTail();
  return {
    write: (chunk) => {
      tail.write(chunk);
    },
    end: () => {
      if (!tail.mayName(section)) return undefined;
      if (size <= maxProgramBytes) return readWhole;
      throw new Error(`a program with crates, larger than ${maxProgramBytes} bytes`);
    },
  };
}

/** Reads the content of `.dep-v0`. Throws on damage and on what inflates to more than 16 MiB. */
export function parseRustAudit(section: Buffer): RustCrate[] {
  const audit = parseJsonObject(inflateSync(section, { maxOutputLength: maxAuditBytes }));
  return asArray(audit['packages']).map((value) => {
    const fields = asObject(value);
    const needs = asArray(fields['dependencies']).filter((index): index is number => Number.isInteger(index));
    return {
      name: asText(fields['name']) ?? '',
      version: asText(fields['version']) ?? '',
      ...defined({
        source: asText(fields['source']),
        isRoot: fields['root'] === true ? true : undefined,
        isForBuild: fields['kind'] === 'build' ? true : undefined,
        needs: needs.length > 0 ? needs : undefined,
      }),
    };
  });
}

function componentsOf({ path, layer, fact }: FoundFile<RustFact>): FoundComponent[] {
  const linked = fact.crates.map((crate) => (isLinked(crate) ? identityOf(crate) : undefined));
  return fact.crates.flatMap((crate, position) => {
    const identity = linked[position];
    if (identity === undefined) return [];
    const dependsOn = (crate.needs ?? []).flatMap((index) => linked[index]?.ref ?? []);
    return [
      {
        ...identity,
        name: crate.name,
        version: crate.version,
        ...(crate.isRoot === true
          ? { type: 'application' as const, hashes: [{ algorithm: 'SHA-256' as const, hex: fact.sha256 }] }
          : {}),
        ...(crate.source === 'crates.io'
          ? { supplier: { name: 'crates.io', url: 'https://crates.io/' } }
          : {}),
        locations: [{ path, layer }],
        technique: 'binary-analysis',
        confidence: 1,
        dependsOn,
        dependencies: 'complete',
        ...(crate.source === undefined || crate.source === 'crates.io'
          ? {}
          : { properties: { 'cargo:source': crate.source } }),
      },
    ];
  });
}

function isLinked(crate: RustCrate): boolean {
  return crate.name !== '' && crate.version !== '' && crate.isForBuild !== true;
}

function identityOf({ name, version }: RustCrate) {
  return identify({ type: 'cargo', name, version });
}
