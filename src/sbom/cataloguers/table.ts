import type { AnyCataloguer } from '../cataloguer.ts';
import { alpm } from './alpm.ts';
import { apk } from './apk.ts';
import { bitnami } from './bitnami.ts';
import { buildpacks } from './buildpacks.ts';
import { composer } from './composer.ts';
import { conda } from './conda.ts';
import { dotnet } from './dotnet.ts';
import { dpkg } from './dpkg.ts';
import { elfNotes } from './elf-notes.ts';
import { go } from './go.ts';
import { java } from './java.ts';
import { jvm } from './jvm.ts';
import { npm } from './npm.ts';
import { osRelease } from './os-release.ts';
import { programs } from './programs.ts';
import { python } from './python.ts';
import { r } from './r.ts';
import { rpm } from './rpm.ts';
import { ruby } from './ruby.ts';
import { rust } from './rust.ts';

/** Every cataloguer, a line each. Packages of a distribution stand first: the others may ask who owns a file. */
export const cataloguers: readonly AnyCataloguer[] = [
  osRelease,
  dpkg,
  apk,
  rpm,
  alpm,
  npm,
  python,
  go,
  java,
  rust,
  dotnet,
  ruby,
  composer,
  conda,
  r,
  jvm,
  bitnami,
  buildpacks,
  elfNotes,
  programs,
];
