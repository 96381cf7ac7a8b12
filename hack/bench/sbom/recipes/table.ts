import type { Recipe } from '../recipe.ts';
import { alpine } from './alpine.ts';
import { debianBase, debianFull } from './debian.ts';
import { distroless } from './distroless.ts';
import { goStatic } from './go.ts';
import { javaApplication } from './java.ts';
import { nodeApplication } from './node.ts';
import { large, pythonEnvironment } from './python.ts';
import { rpmRoot } from './rpm.ts';

/** Every image; a new one is one file and one line here. */
export const recipes: readonly Recipe[] = [
  debianBase,
  debianFull,
  alpine,
  rpmRoot,
  nodeApplication,
  pythonEnvironment,
  javaApplication,
  goStatic,
  distroless,
  large,
];
