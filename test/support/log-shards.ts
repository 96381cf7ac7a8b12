import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { local, ports } from '../../hack/stack/addresses.ts';
import { run } from '../../hack/stack/process/run.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { waitFor } from './waiting.ts';

/** A log of a test's own, with a key of its own. */
abstract class OwnLog implements AsyncDisposable {
  readonly stack: Stack;
  readonly folder: string;
  readonly port: number;
  #child: Child | undefined;

  protected constructor(stack: Stack, folder: string, port: number) {
    this.stack = stack;
    this.folder = folder;
    this.port = port;
  }

  /** File with the public key, PEM. */
  get publicKey(): string {
    return join(this.folder, 'log.pub');
  }

  protected get privateKey(): string {
    return join(this.folder, 'log.key');
  }

  protected async makeKey(): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await writeFile(this.privateKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
    await writeFile(this.publicKey, publicKey.export({ type: 'spki', format: 'pem' }));
  }

  protected async start(program: string, args: readonly string[], health: string): Promise<void> {
    await this.stop();
    const child = await Child.start({
      name: program,
      file: join(this.stack.bin, program),
      args,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.folder },
      logFile: join(this.folder, 'server.log'),
    });
    this.#child = child;
    const isHealthy = async (): Promise<boolean | undefined> => {
      const { statusCode, body } = await request(`http://127.0.0.1:${this.port}${health}`);
      await body.dump();
      return statusCode === 200 ? true : undefined;
    };
    await waitFor(() => (child.isRunning ? isHealthy() : Promise.reject(new Error(`${program} ended`))), {
      what: `${program} being healthy`,
      timeoutMs: 60_000,
    });
  }

  /** Ends the server; what it holds stays. */
  async stop(): Promise<void> {
    await this.#child?.stop(3000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A Rekor v1 whose tree is succeeded by another one: the old one stays readable as an inactive shard. */
export class RekorShards extends OwnLog {
  readonly #inactive: string[] = [];
  #active: string | undefined;

  static async open(stack: Stack): Promise<RekorShards> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-shards-'));
    const shards = new RekorShards(stack, folder, await freePort());
    await shards.makeKey();
    await shards.rotate();
    return shards;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Closes the present tree, opens a new one, and starts the server with both. */
  async rotate(): Promise<void> {
    if (this.#active !== undefined) this.#inactive.push(this.#active);
    const createTree = join(this.stack.bin, 'createtree');
    this.#active = (await run(createTree, [`--admin_server=${local(ports.trillianServer)}`])).trim();
    // A number of 64 bits: written as text, since JavaScript's are shorter.
    const shards = this.#inactive.map((tree) => `- treeID: ${tree}\n`).join('');
    const sharding = join(this.folder, 'shards.yaml');
    await writeFile(sharding, shards);
    const options = {
      'rekor_server.address': '127.0.0.1',
      port: String(this.port),
      'rekor_server.hostname': 'shards.golems.internal',
      'rekor_server.signer': this.privateKey,
      'trillian_log_server.address': '127.0.0.1',
      'trillian_log_server.port': String(ports.trillianServer),
      'trillian_log_server.tlog_id': this.#active,
      'trillian_log_server.sharding_config': sharding,
      'search_index.storage_provider': 'redis',
      'redis_server.address': '127.0.0.1',
      'redis_server.port': String(ports.redis),
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    await this.start('rekor-server', ['serve', ...args], '/api/v1/log');
  }
}

/** A Rekor v2 besides the stack's, as the next one of a rotation. */
export class TilesLog extends OwnLog {
  static async open(stack: Stack): Promise<TilesLog> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-tiles-'));
    const log = new TilesLog(stack, folder, await freePort());
    await log.makeKey();
    await log.restart();
    return log;
  }

  /** The host name is the checkpoint's origin. */
  get url(): string {
    return `http://localhost:${this.port}`;
  }

  async restart(): Promise<void> {
    const tiles = join(this.folder, 'tiles');
    await mkdir(tiles, { recursive: true });
    const options = {
      hostname: 'localhost',
      'http-address': '127.0.0.1',
      'http-port': String(this.port),
      'grpc-address': '127.0.0.1',
      'grpc-port': String(await freePort()),
      'http-metrics-port': String(await freePort()),
      'signer-filepath': this.privateKey,
      'storage-dir': tiles,
      'checkpoint-interval': '1s',
      'batch-max-age': '50ms',
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    await this.start('rekor-tiles', ['serve', ...args], '/healthz');
  }
}
