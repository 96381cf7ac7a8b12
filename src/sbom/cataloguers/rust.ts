import { hash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import type { Cataloguer, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { ElfFile } from './formats/elf-file.ts';
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
/** The section names, which tell whether there is something to miss, stand at the very end of a file. */
const tailBytes = 64 * 1024;

/**
 * Rust programs built by cargo-auditable: the section `.dep-v0` holds the crates linked in and their edges, as
 * zlib-compressed JSON (cargo-auditable's PARSING.md).
 */
export const rust: Cataloguer<RustFact> = {
  name: 'rust',
  version: 1,
  rules: [
    {
      select: { magic: ['elf'], accept: ({ size }) => size <= maxProgramBytes },
      maxBytes: maxProgramBytes,
      parse: (content): RustFact | undefined => {
        const audit = ElfFile.open(content)?.section('.dep-v0')?.content;
        if (audit === undefined) return undefined;
        return { crates: parseRustAudit(audit), sha256: hash('sha256', content, 'hex') };
      },
    },
    { select: { magic: ['elf'] }, open: openLarge },
  ],
  assemble(view) {
    return { components: view.files.flatMap(componentsOf) };
  },
};

function openLarge() {
  // One buffer for all of a program: copies of every piece would keep the garbage collector busy.
  const tail = Buffer.alloc(tailBytes);
  return {
    write: (chunk: Uint8Array): void => {
      const last = chunk.subarray(Math.max(0, chunk.length - tailBytes));
      tail.copyWithin(0, last.length);
      tail.set(last, tailBytes - last.length);
    },
    end: (): undefined => {
      if (tail.includes('.dep-v0'))
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
