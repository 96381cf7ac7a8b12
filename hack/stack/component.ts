/** A program that `go install` can build by its package path, straight from the module proxy. */
interface Installed {
  readonly kind: 'install';
  readonly package: string;
  readonly tags?: string;
}

/** A program built from a go.mod of ours in `modules/FOLDER`: own pins, replacements or source. */
interface OwnModule {
  readonly kind: 'own-module';
  readonly folder: string;
  readonly package: string;
  readonly linkerVariables?: Readonly<Record<string, string>>;
}

/** A program whose module has `replace` lines, which `go install` refuses: built in a writable copy of it. */
interface ModuleCopy {
  readonly kind: 'module-copy';
  readonly module: string;
  readonly package: string;
}

/** Files taken out of a module as they are. */
interface ModuleFiles {
  readonly kind: 'files';
  readonly module: string;
  readonly path: string;
}

/** One thing that the cache holds, and how it is made. */
export type Component = {
  readonly name: string;
  readonly version: string;
  /** Built only when asked for by name. */
  readonly onDemand?: true;
} & (Installed | OwnModule | ModuleCopy | ModuleFiles);
