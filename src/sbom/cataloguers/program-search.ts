import type { ContentDigests, FactStream } from '../cataloguer.ts';
import type { ProgramPattern } from './program-table.ts';

/** What a program's bytes tell of it. */
export interface ProgramFact {
  readonly kind: 'program';
  /** Name of the pattern that matched. */
  readonly name: string;
  readonly version: string;
  readonly sha256?: string;
}

const before = 128;
const after = 384;
/** An anchor that is this frequent tells nothing. */
const maxLooks = 20_000;

/**
 * Looks for the version texts of the programs that a file may be by its name, in one pass with a few hundred bytes of
 * memory. The first pattern that finds a version wins.
 */
export class ProgramSearch implements FactStream<ProgramFact> {
  readonly #patterns: readonly ProgramPattern[];
  #carry: Buffer = Buffer.alloc(0);
  #found: { pattern: ProgramPattern; version: string } | undefined;
  #looks = 0;

  constructor(patterns: readonly ProgramPattern[]) {
    this.#patterns = patterns;
  }

  write(chunk: Uint8Array): void {
    if (this.#found !== undefined) return;
    const bytes = Buffer.concat([this.#carry, chunk]);
    this.#search(bytes, bytes.length - after);
    this.#carry = bytes.subarray(Math.max(0, bytes.length - after - before));
  }

  end(digests: ContentDigests): ProgramFact | undefined {
    if (this.#found === undefined) this.#search(this.#carry, this.#carry.length);
    if (this.#found === undefined) return undefined;
    const { pattern, version } = this.#found;
    const sha256 = digests.sha256 === undefined ? {} : { sha256: digests.sha256 };
    return { kind: 'program', name: pattern.name, version, ...sha256 };
  }

  /** Looks around every anchor that begins before `end`; later ones wait for the bytes behind them. */
  #search(bytes: Buffer, end: number): void {
    for (const pattern of this.#patterns) {
      for (const anchor of pattern.anchors) {
        const version = this.#versionAt(bytes, end, { pattern, anchor });
        if (version === undefined) continue;
        this.#found = { pattern, version };
        return;
      }
    }
  }

  #versionAt(
    bytes: Buffer,
    end: number,
    wanted: { pattern: ProgramPattern; anchor: string },
  ): string | undefined {
    const { pattern, anchor } = wanted;
    let at = bytes.indexOf(anchor, 0, 'latin1');
    while (at >= 0 && at < end && this.#looks < maxLooks) {
      this.#looks += 1;
      const version = versionNear(bytes, at, pattern);
      if (version !== undefined) return version;
      at = bytes.indexOf(anchor, at + 1, 'latin1');
    }
    return undefined;
  }
}

function versionNear(bytes: Buffer, at: number, pattern: ProgramPattern): string | undefined {
  const match = pattern.version.exec(bytes.toString('latin1', Math.max(0, at - before), at + after));
  return match?.slice(1).find((group) => (group as string | undefined) !== undefined);
}
