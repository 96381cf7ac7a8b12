/** Upper bounds of this room, each with the reason for its size. */
export const registryLimits = {
  /** Error bodies: registries answer with a short JSON list; more is not read. */
  errorBytes: 16 * 1024,
  /** Redirects of one blob download; object stores use one or two. */
  redirects: 5,
  /** Exchanges for one call: a challenge, a refreshed token and a handful of credentials. */
  authorisationAttempts: 8,
  /** Credentials tried for one repository; more is a misconfiguration. */
  credentials: 16,
  /** Pages of a referrers listing; with 1000 referrers in all, pages of 16 are the smallest served. */
  referrerPages: 64,
  /** Registries, and (registry, repository) pairs, of which something is remembered. */
  rememberedHosts: 256,
  rememberedRepositories: 4096,
  /** Blobs that are known to be present. */
  rememberedBlobs: 8192,
  /** Tokens held; one per credentials, repository and access. */
  tokens: 4096,
  /** A bearer token; the largest seen, with many scopes, are about 8 KiB. */
  tokenBytes: 64 * 1024,
  /** A WWW-Authenticate header. */
  challengeBytes: 8 * 1024,
  /** A docker config.json or pull secret: etcd holds no larger Secret than 1 MiB. */
  dockerConfigBytes: 1024 * 1024,
  /** Writes of one tag that may be overtaken before we give up. */
  tagAttempts: 8,
  /** Readings of one tag that the registry may fail while it is being written. */
  tornReads: 3,
  /** Existing layers looked into, and bytes read, when searching for content that is attached already. */
  duplicateCandidates: 64,
  duplicateBytes: 128 * 1024 * 1024,
  /** index.json of an OCI layout folder: about 100,000 entries. */
  layoutIndexBytes: 64 * 1024 * 1024,
} as const;

/** Times of this room, in milliseconds. */
export const registryTimes = {
  /** How long it is remembered whether a registry has the referrers API, what it challenges with, what it holds. */
  memoryMs: 10 * 60_000,
  /** How long found credentials are used before their source is asked again: a mended Secret counts from then on. */
  credentialsMs: 60_000,
  /** Between two chunks of a blob that is being streamed. */
  stallMs: 30_000,
  /** A credential helper: it may ask a key ring, never a person. */
  helperMs: 10_000,
  /** First pause after an overtaken write; the next ones are longer, each with jitter. */
  contentionMs: 50,
  /** A lock file of an OCI layout folder older than this was left by a dead process; it is held for milliseconds. */
  staleLockMs: 15_000,
} as const;
