import { open } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import { registryLimits } from './registry-limits.ts';
import type { Repository } from '../model/image-reference.ts';
import type { Credentials, CredentialSource } from './credentials.ts';

/** A parsed docker `config.json` or pull secret. */
export interface DockerConfig {
  readonly entries: readonly DockerConfigEntry[];
  /** Credential helper by registry host. */
  readonly helpers: ReadonlyMap<string, string>;
  /** Helper for all other hosts (`credsStore`). */
  readonly defaultHelper?: string;
}

/** One entry of `auths`. */
interface DockerConfigEntry {
  /** Host with optional port; labels may be `*`, as the kubelet takes them. */
  readonly host: string;
  /** Path prefix without slashes at its ends; empty for the whole host. */
  readonly path: string;
  readonly credentials: Credentials;
}

const hubHost = 'index.docker.io';
const hubAliases = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
  'registry.hub.docker.com',
]);

const authEntry = z.looseObject({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const auths = z.record(z.string(), authEntry.nullable());
const helperName = z.string().regex(/^[\w.-]{1,64}$/);
const configFile = z.looseObject({
  auths: auths.optional(),
  credHelpers: z.record(z.string(), helperName).optional(),
  credsStore: z.union([helperName, z.literal('')]).optional(),
});

/**
 * Parses a docker `config.json`, which is also the content of a `kubernetes.io/dockerconfigjson` Secret. `name` says in
 * messages where it came from. Entries without usable credentials are left out. Throws ERR_REGISTRY_DOCKER_CONFIG.
 */
export function parseDockerConfig(bytes: Uint8Array, name: string): DockerConfig {
  const parsed = configFile.safeParse(parseJson(bytes, name));
  if (!parsed.success) throw malformed(name, 'it has not the shape of a docker config');
  const { credHelpers = {}, credsStore } = parsed.data;
  return {
    entries: toEntries(parsed.data.auths ?? {}, name),
    helpers: new Map(Object.entries(credHelpers).map(([key, helper]) => [splitKey(key).host, helper])),
    ...(credsStore === undefined || credsStore === '' ? {} : { defaultHelper: credsStore }),
  };
}

/** Parses the content of a `kubernetes.io/dockercfg` Secret (the old format). Throws ERR_REGISTRY_DOCKER_CONFIG. */
export function parseDockercfg(bytes: Uint8Array, name: string): DockerConfig {
  const parsed = auths.safeParse(parseJson(bytes, name));
  if (!parsed.success) throw malformed(name, 'it has not the shape of a dockercfg');
  return { entries: toEntries(parsed.data, name), helpers: new Map() };
}

/**
 * The credentials of `configs` for a repository: of the longest matching path, an exact host before a glob, as the
 * kubelet and containers/image order them. Configs are handed in by whoever reads pull secrets.
 */
export function findDockerCredentials(
  configs: readonly DockerConfig[],
  repository: Repository,
): readonly Credentials[] {
  return configs
    .flatMap((config) => config.entries)
    .filter((entry) => matches(entry, repository))
    .sort((a, b) => specificity(b) - specificity(a))
    .slice(0, registryLimits.credentials)
    .map((entry) => entry.credentials);
}

/** A credential source of configs that are at hand, such as a run's pull secrets. */
export function dockerConfigSource(configs: readonly DockerConfig[]): CredentialSource {
  return { find: (repository) => Promise.resolve(findDockerCredentials(configs, repository)) };
}

/** A credential source of a file that is read anew each time, so that a rotated mount counts. An absent file is empty. */
export function dockerConfigFileSource(path: string): CredentialSource {
  return {
    find: async (repository) => {
      const config = await readDockerConfig(path);
      return config === undefined ? [] : findDockerCredentials([config], repository);
    },
  };
}

/** Reads a docker config file; `undefined` if there is none. Throws ERR_REGISTRY_DOCKER_CONFIG. */
export async function readDockerConfig(path: string): Promise<DockerConfig | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > registryLimits.dockerConfigBytes) throw malformed(path, 'it is too large');
    return parseDockerConfig(await file.readFile(), path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error instanceof AppError ? error : malformed(path, 'it cannot be read', error);
  }
}

/** The host of a key in `auths` or `credHelpers`, Docker Hub's names made one. */
export function normaliseRegistryHost(host: string): string {
  const lower = host.toLowerCase();
  return hubAliases.has(lower) ? hubHost : lower;
}

function splitKey(key: string): { readonly host: string; readonly path: string } {
  const bare = key.trim().replace(/^https?:\/\//i, '');
  const slash = bare.indexOf('/');
  const host = normaliseRegistryHost(slash === -1 ? bare : bare.slice(0, slash));
  const path = slash === -1 ? '' : bare.slice(slash).replaceAll(/^\/+|\/+$/g, '');
  // Docker writes API versions as paths: https://index.docker.io/v1/.
  return { host, path: /^v[12]$/.test(path) ? '' : path };
}

function toEntries(list: z.infer<typeof auths>, name: string): DockerConfigEntry[] {
  return Object.entries(list).flatMap(([key, entry]) => {
    const credentials = entry === null ? undefined : toCredentials(entry, name);
    return credentials === undefined ? [] : [{ ...splitKey(key), credentials }];
  });
}

function toCredentials(entry: z.infer<typeof authEntry>, name: string): Credentials | undefined {
  if (isSet(entry.identitytoken)) return { kind: 'identity-token', token: entry.identitytoken };
  if (isSet(entry.registrytoken)) return { kind: 'registry-token', token: entry.registrytoken };
  if (isSet(entry.auth)) return decodeAuth(entry.auth, name);
  if (!isSet(entry.username)) return undefined;
  return { kind: 'basic', username: entry.username, password: entry.password ?? '' };
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

function decodeAuth(auth: string, name: string): Credentials {
  // Docker pads with NUL bytes.
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (colon < 1) throw malformed(name, 'an "auth" is not base64 of user:password');
  return { kind: 'basic', username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function matches(entry: DockerConfigEntry, repository: Repository): boolean {
  if (!matchesHost(entry.host, normaliseRegistryHost(repository.registry))) return false;
  return entry.path === '' || repository.path === entry.path || repository.path.startsWith(`${entry.path}/`);
}

function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const [labels, patterns] = [host.split('.'), pattern.split('.')];
  if (!pattern.includes('*') || labels.length !== patterns.length) return false;
  return patterns.every((part, index) => matchesLabel(part, labels[index] ?? ''));
}

/** A label pattern with `*` for any run of characters, compared piece by piece so that it takes linear time. */
function matchesLabel(pattern: string, label: string): boolean {
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop();
  if (tail === undefined) return pattern === label;
  if (!label.startsWith(head) || !label.endsWith(tail) || label.length < head.length + tail.length)
    return false;
  let at = head.length;
  return rest.every((piece) => {
    const found = label.indexOf(piece, at);
    at = found + piece.length;
    return found !== -1 && at <= label.length - tail.length;
  });
}

function specificity(entry: DockerConfigEntry): number {
  return entry.path.length * 2 + (entry.host.includes('*') ? 0 : 1);
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  if (bytes.byteLength > registryLimits.dockerConfigBytes) throw malformed(name, 'it is too large');
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown;
  } catch {
    // The parser's message quotes the text, which holds secrets.
    throw malformed(name, 'it is no JSON');
  }
}

function malformed(name: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_REGISTRY_DOCKER_CONFIG', `the docker config ${name} is unusable: ${why}`, {
    kind: 'passing',
    object: name,
    remedy: 'Write it with "docker login" or "kubectl create secret docker-registry".',
    cause,
  });
}
