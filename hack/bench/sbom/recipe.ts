import type { BuiltImage, ImageBuilder } from './image-builder.ts';

/** A package that the build's own package manager resolved. */
export interface DeclaredFile {
  /** As `keyOf` gives it. */
  readonly key: string;
  /** Base name of the archive that holds it, which a later layer may delete or a packager leave out. */
  readonly file: string;
}

/** What a recipe works with. */
export interface BuildSite {
  readonly image: ImageBuilder;
  /** An empty folder for downloads, removed afterwards. */
  readonly scratch: string;
  /** Notes what package managers resolved and leave no database of. */
  readonly declare: (files: readonly DeclaredFile[]) => void;
  /** Another image, built first if need be. */
  readonly base: (name: string) => Promise<{ readonly layout: string; readonly image: BuiltImage }>;
}

/** How to build one image out of public packages. */
export interface Recipe {
  readonly name: string;
  /** Raised with every change of what it builds: the cache keeps images by name and revision. */
  readonly revision: number;
  /** What is in it, for the table. */
  readonly about: string;
  /** Base of other images only: not measured. */
  readonly isBase?: true;
  readonly build: (site: BuildSite) => Promise<void>;
}
