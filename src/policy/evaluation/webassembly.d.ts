/** What this room uses of the WebAssembly JavaScript interface; the types of Node have none, those of browsers too much. */
declare namespace WebAssembly {
  type Imports = Record<string, Record<string, (...args: never[]) => number>>;

  class Memory {
    private constructor();
    readonly buffer: ArrayBuffer;
  }

  class Module {
    private constructor();
    readonly brand: 'WebAssembly.Module';
  }

  interface Instance {
    readonly exports: object;
  }

  function compile(bytes: Uint8Array): Promise<Module>;
  function instantiate(module: Module, imports: Imports): Promise<Instance>;
}
