import { setAt } from './settings-tree.ts';
import type { Tree } from './settings-tree.ts';

/** What reading a `chains-config` brought to light about one key. */
export interface ChainsFinding {
  readonly key: string;
  /**
   * `refused`: the value can't be honoured, and signing without it would be something else than asked for; resolution
   * fails unless a stronger source says what `path` is instead. `ignored`: without effect here. `implied`: the key is
   * absent and Chains' own default differs from ours, so Chains' applies.
   */
  readonly verdict: 'refused' | 'ignored' | 'implied';
  /** The setting concerned, where there is one. */
  readonly path?: string;
  readonly message: string;
}

/** Collects what the keys of one `chains-config` say. */
export class ChainsReading {
  readonly input: Tree = {};
  readonly findings: ChainsFinding[] = [];
  /** The key that set a setting, by the setting's path. */
  readonly names = new Map<string, string>();

  set(key: string, path: string, value: unknown): void {
    setAt(this.input, path, value);
    this.names.set(path, key);
  }

  refuse(key: string, path: string, message: string): void {
    this.findings.push({ key, verdict: 'refused', path, message });
  }

  ignore(key: string, message: string): void {
    this.findings.push({ key, verdict: 'ignored', message });
  }

  imply(key: string, path: string, value: unknown, message: string): void {
    this.set(key, path, value);
    this.findings.push({ key, verdict: 'implied', path, message });
  }
}

/** Reads the value of one key. */
export type ChainsKeyReader = (key: string, value: string, reading: ChainsReading) => void;

/** Takes the text as it is; an empty one says nothing. */
export function text(path: string): ChainsKeyReader {
  return (key, value, reading) => {
    if (value !== '') reading.set(key, path, value);
  };
}

/** Go's strconv.ParseBool, as Chains reads booleans; what it can't read is ignored there, and named here. */
export function boolean(
  take: (key: string, value: boolean, reading: ChainsReading) => void,
): ChainsKeyReader {
  return (key, value, reading) => {
    const parsed = parseGoBoolean(value);
    if (parsed === undefined)
      reading.ignore(key, `"${value.slice(0, 40)}" is no boolean (true or false), so it is ignored`);
    else take(key, parsed, reading);
  };
}

function parseGoBoolean(value: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value) ? false : undefined;
}

/** A key of a part of Chains that is not here: named, its value never shown. */
export function without(what: string): ChainsKeyReader {
  return (key, value, reading) => {
    if (value !== '') reading.ignore(key, `${what}, so the key has no effect`);
  };
}

/** Items of a comma-separated value, trimmed; none for an empty value. */
export function listItems(value: string): readonly string[] {
  return value === '' ? [] : value.split(',').map((item) => item.trim());
}
