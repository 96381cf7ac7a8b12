import type { AnyCataloguer } from '../cataloguer.ts';
import { apk } from './apk.ts';
import { dpkg } from './dpkg.ts';
import { go } from './go.ts';
import { java } from './java.ts';
import { npm } from './npm.ts';
import { osRelease } from './os-release.ts';
import { python } from './python.ts';
import { rpm } from './rpm.ts';
import { rust } from './rust.ts';

/** Every cataloguer, a line each. Packages of a distribution stand first: the others may ask who owns a file. */
export const cataloguers: readonly AnyCataloguer[] = [
  osRelease,
  dpkg,
  apk,
  rpm,
  npm,
  python,
  go,
  java,
  rust,
];
