import { asArray, asObject, asText, asTexts, defined, parseJsonObject } from './formats/json-fields.ts';
import type { JsonObject } from './formats/json-fields.ts';
import { parsePerson, repositoryAddress, webAddress } from './formats/supplier.ts';
import type { Supplier } from './formats/supplier.ts';

/** What a `package.json` says (npm's package.json documentation). */
export interface NpmManifest {
  readonly kind: 'manifest';
  readonly name: string;
  /** Absent in workspace roots and vendored stubs. */
  readonly version?: string;
  readonly licences?: readonly string[];
  readonly author?: Supplier;
  readonly repository?: string;
  readonly homepage?: string;
  /** Names under `dependencies`. */
  readonly required?: readonly string[];
  /** Names under `optionalDependencies`, and peers: edges where they are installed, nothing missing where not. */
  readonly possible?: readonly string[];
  /** Subresource integrity of the tarball, as npm before 7 wrote it into the installed manifest. */
  readonly integrity?: string;
  /** Of the manifest itself. */
  readonly sha256?: string;
}

/** Reads a `package.json`; undefined without a name, as in the stubs that only set `"type": "module"`. */
export function parseNpmManifest(content: Uint8Array): NpmManifest | undefined {
  const manifest = parseJsonObject(content);
  const name = asText(manifest['name']);
  if (name === undefined || name.length > 300) return undefined;
  const optional = Object.keys(asObject(manifest['optionalDependencies']));
  const required = Object.keys(asObject(manifest['dependencies'])).filter((one) => !optional.includes(one));
  const possible = [...optional, ...Object.keys(asObject(manifest['peerDependencies']))];
  return {
    kind: 'manifest',
    name,
    ...defined({
      version: asText(manifest['version']),
      licences: filled(licencesOf(manifest)),
      author: parsePerson(manifest['author']) ?? parsePerson(asArray(manifest['maintainers'])[0]),
      repository: repositoryAddress(manifest['repository']),
      homepage: webAddress(asText(manifest['homepage'])),
      required: filled(required),
      possible: filled(possible),
      integrity: asText(manifest['_integrity']),
    }),
  };
}

/** `license` is an SPDX expression today; an object or a list of them (`licenses`) in old manifests. */
function licencesOf(manifest: JsonObject): string[] {
  const declared = [manifest['license'], manifest['licence'], manifest['licenses']].find(
    (value) => value !== undefined,
  );
  const list = Array.isArray(declared) ? asArray(declared) : [declared];
  return list.flatMap((one) => {
    const { type, name } = asObject(one) as { type?: unknown; name?: unknown };
    return asTexts([one, type, name]).slice(0, 1);
  });
}

function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined;
}
