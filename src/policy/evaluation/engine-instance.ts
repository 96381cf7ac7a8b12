import { WasiHost } from './wasi-host.ts';

/** One started module: compiled policies live in it until they are released. Calls block. */
export interface EngineInstance {
  /** Compiles a policy and keeps it under `id`; gives the module's answer, JSON. */
  compile(id: number, source: Uint8Array): Uint8Array;
  /** Judges a document by the policy `id`; gives the module's answer, JSON. */
  evaluate(id: number, document: Uint8Array, options: { strict: boolean; nowMs: number }): Uint8Array;
  release(id: number): void;
  memoryBytes(): number;
}

/** What policy-engine/internal/abi exports. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly _initialize: () => void;
  readonly buffer: (size: number) => number;
  readonly answer: () => number;
  readonly compile: (id: number, size: number) => number;
  readonly evaluate: (id: number, size: number, strict: number, unixMs: number) => number;
  readonly release: (id: number) => void;
}

const functions = ['_initialize', 'buffer', 'answer', 'compile', 'evaluate', 'release'];

function isExports(value: object): value is Exports {
  const exported = new Map<string, unknown>(Object.entries(value));
  return (
    exported.get('memory') instanceof WebAssembly.Memory &&
    functions.every((name) => typeof exported.get(name) === 'function')
  );
}

/** Starts a module of the policy engine. Throws what the module throws; such an instance must not be used again. */
export async function startInstance(module: WebAssembly.Module): Promise<EngineInstance> {
  const host = new WasiHost();
  const { exports } = await WebAssembly.instantiate(module, host.imports);
  if (!isExports(exports)) throw new Error('the module is no policy engine');
  const calls = exports;
  host.bind(calls.memory);
  host.setTime(Date.now());
  calls._initialize();

  const give = (input: Uint8Array): void => {
    const address = calls.buffer(input.length) >>> 0;
    new Uint8Array(calls.memory.buffer).set(input, address);
  };
  const take = (length: number): Uint8Array => {
    const address = calls.answer() >>> 0;
    return new Uint8Array(calls.memory.buffer).slice(address, address + (length >>> 0));
  };
  return {
    compile: (id, source) => {
      give(source);
      return take(calls.compile(id, source.length));
    },
    evaluate: (id, document, { strict, nowMs }) => {
      host.setTime(nowMs);
      give(document);
      return take(calls.evaluate(id, document.length, strict ? 1 : 0, nowMs));
    },
    release: (id) => {
      calls.release(id);
    },
    memoryBytes: () => calls.memory.buffer.byteLength,
  };
}
