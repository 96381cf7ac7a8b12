import type { BuiltImage, ImageBuilder } from './image-builder.ts';

/** What a recipe works with. */
export interface BuildSite {
  readonly image: ImageBuilder;
  /** An empty folder for downloads, removed afterwards. */
  readonly scratch: string;
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
