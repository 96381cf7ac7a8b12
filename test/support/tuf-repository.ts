import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import canonicalize from 'canonicalize';
import { pack } from 'tar-stream';

type Role = 'root' | 'timestamp' | 'snapshot' | 'targets';
const roles = ['root', 'timestamp', 'snapshot', 'targets'] as const;

interface TufKey {
  readonly id: string;
  readonly document: object;
  readonly privateKey: KeyObject;
}

/** A target of a repository. */
export interface PublishedTarget {
  readonly bytes: string | Uint8Array;
  readonly custom?: object;
}

/** What is published next; the rest is as it was. */
export interface Publication {
  readonly targets?: Readonly<Record<string, PublishedTarget>>;
  /** End of validity of a role's metadata. */
  readonly expires?: Partial<Record<Role, Date>>;
  /** Version of everything but the root. */
  readonly version?: number;
  /** Keys of the root that sign it, if not all of them. */
  readonly rootSigners?: number;
}

const day = 24 * 60 * 60 * 1000;

function newKey(): TufKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
  const document = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } };
  return { id: sha256(canonicalize(document) ?? ''), document, privateKey };
}

function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function signed(document: object, keys: readonly TufKey[]): Buffer {
  const bytes = Buffer.from(canonicalize(document) ?? '');
  const signatures = keys.map(({ id, privateKey }) => ({
    keyid: id,
    sig: sign(null, bytes, privateKey).toString('hex'),
  }));
  return Buffer.from(JSON.stringify({ signed: document, signatures }));
}

/**
 * A TUF repository with keys of its own, by the specification: its files are what a mirror serves, and can be altered to
 * see them refused.
 */
export class TestTufRepository {
  readonly files = new Map<string, Buffer>();
  /** The first root.json. */
  readonly root: Buffer;
  readonly #keys: Record<Role, TufKey[]>;
  readonly #threshold: number;
  readonly #consistent: boolean;
  #rootVersion = 1;
  #version = 0;
  #last: Publication = {};

  constructor({ rootKeys = 1, consistent = true }: { rootKeys?: number; consistent?: boolean } = {}) {
    this.#keys = {
      root: Array.from({ length: rootKeys }, newKey),
      timestamp: [newKey()],
      snapshot: [newKey()],
      targets: [newKey()],
    };
    this.#threshold = rootKeys;
    this.#consistent = consistent;
    this.root = this.#signRoot(this.#keys.root, {});
  }

  /** The first root.json, signed by as many of its keys as given. */
  rootSignedBy(count: number): Buffer {
    return this.#signRoot(this.#keys.root.slice(0, count), {});
  }

  /** Puts the files of a new version into `files`. */
  publish(publication: Publication = {}): this {
    const next = { ...this.#last, ...publication };
    this.#last = next;
    this.#version = publication.version ?? this.#version + 1;
    const targets = this.#role('targets', { targets: this.#publishTargets(next.targets ?? {}) }, next);
    const snapshot = this.#role(
      'snapshot',
      { meta: { 'targets.json': metaOf(targets, this.#version) } },
      next,
    );
    const timestamp = this.#role(
      'timestamp',
      { meta: { 'snapshot.json': metaOf(snapshot, this.#version) } },
      next,
    );
    const prefix = this.#consistent ? `${this.#version}.` : '';
    this.files.set(`${prefix}targets.json`, targets);
    this.files.set(`${prefix}snapshot.json`, snapshot);
    this.files.set('timestamp.json', timestamp);
    return this;
  }

  /** Publishes a new root with new keys, signed by as many of the old ones as given. */
  rotateRoot(oldSigners = this.#threshold): this {
    const old = this.#keys.root;
    this.#keys.root = old.map(newKey);
    this.#rootVersion += 1;
    const signers = [...old.slice(0, oldSigners), ...this.#keys.root];
    this.files.set(`${this.#rootVersion}.root.json`, this.#signRoot(signers, this.#last));
    return this;
  }

  /** The repository as a TrustRoot has it in `mirrorFS`: tar and gzip, in a folder `repository`. */
  async archive(): Promise<Buffer> {
    const archive = pack();
    archive.entry({ name: 'repository/', type: 'directory' });
    for (const [name, bytes] of this.files) archive.entry({ name: `repository/${name}` }, bytes);
    archive.finalize();
    return gzipSync(await buffer(archive));
  }

  #signRoot(keys: readonly TufKey[], { expires }: Publication): Buffer {
    const all = roles.flatMap((role) => this.#keys[role]);
    return signed(
      {
        _type: 'root',
        spec_version: '1.0.31',
        version: this.#rootVersion,
        expires: textOf(expires?.root),
        consistent_snapshot: this.#consistent,
        keys: Object.fromEntries(all.map(({ id, document }) => [id, document])),
        roles: Object.fromEntries(
          roles.map((role) => [
            role,
            {
              keyids: this.#keys[role].map(({ id }) => id),
              threshold: role === 'root' ? this.#threshold : 1,
            },
          ]),
        ),
      },
      keys,
    );
  }

  #role(role: Role, fields: object, { expires }: Publication): Buffer {
    const head = {
      _type: role,
      spec_version: '1.0.31',
      version: this.#version,
      expires: textOf(expires?.[role]),
    };
    return signed({ ...head, ...fields }, this.#keys[role]);
  }

  #publishTargets(targets: Readonly<Record<string, PublishedTarget>>): object {
    return Object.fromEntries(
      Object.entries(targets).map(([path, { bytes, custom }]) => {
        const content = Buffer.from(bytes);
        const hash = sha256(content);
        this.files.set(this.#consistent ? `targets/${hash}.${path}` : `targets/${path}`, content);
        return [
          path,
          { length: content.length, hashes: { sha256: hash }, ...(custom === undefined ? {} : { custom }) },
        ];
      }),
    );
  }
}

function textOf(expires = new Date(Date.now() + day)): string {
  return expires.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function metaOf(bytes: Buffer, version: number): object {
  return { version, length: bytes.length, hashes: { sha256: sha256(bytes) } };
}

/** A mirror on the loopback interface that serves the files, or answers as told. */
export interface TestMirror extends AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Status that all answers have; undefined: the files are served. */
  status: number | undefined;
  /** Answers never come. */
  hangs: boolean;
}

export async function startTestMirror(files: ReadonlyMap<string, Uint8Array>): Promise<TestMirror> {
  const asked: string[] = [];
  const server: Server = createServer((incoming, answer) => {
    const path = decodeURIComponent(incoming.url ?? '').replace(/^\/tuf\//, '');
    asked.push(path);
    if (mirror.hangs) return;
    const bytes = files.get(path);
    answer.statusCode = mirror.status ?? (bytes === undefined ? 404 : 200);
    answer.end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const mirror: TestMirror = {
    url: `http://127.0.0.1:${port}/tuf`,
    asked,
    status: undefined,
    hangs: false,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return mirror;
}
