import { execFile } from 'node:child_process';
import { generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import type { Stack } from '../../hack/stack/stack.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { waitFor } from './waiting.ts';

const trillian = { host: '127.0.0.1', port: '8090' };

/** Whoever signs an entry: certificate or public key, PEM, and the private key. */
export interface RawSigner {
  readonly pem: string;
  readonly privateKey: KeyObject;
}

/**
 * A Rekor v1 of one's own, with a tree of its own in the stack's Trillian and the stack's key: what is done to its history
 * concerns nobody else.
 */
export class OwnRekor implements AsyncDisposable {
  readonly url: string;
  readonly treeId: string;
  readonly #folder: string;
  readonly #child: Child;

  private constructor(url: string, treeId: string, folder: string, child: Child) {
    this.url = url;
    this.treeId = treeId;
    this.#folder = folder;
    this.#child = child;
  }

  static async start(stack: Stack): Promise<OwnRekor> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-rekor-'));
    const admin = `--admin_server=${trillian.host}:${trillian.port}`;
    const { stdout } = await promisify(execFile)(join(stack.bin, 'createtree'), [admin]);
    const [treeId, port] = [stdout.trim(), await freePort()];
    const flags = {
      '--rekor_server.address': '127.0.0.1',
      '--port': String(port),
      '--rekor_server.hostname': 'rekor.golems.internal',
      '--rekor_server.signer': join(dirname(stack.ca), 'rekor.key'),
      '--trillian_log_server.address': trillian.host,
      '--trillian_log_server.port': trillian.port,
      '--trillian_log_server.tlog_id': treeId,
    };
    const child = await Child.start({
      name: 'rekor-server',
      file: join(stack.bin, 'rekor-server'),
      args: ['serve', ...Object.entries(flags).flat(), '--enable_retrieve_api=false'],
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      logFile: join(folder, 'log'),
    });
    const rekor = new OwnRekor(`http://127.0.0.1:${port}`, treeId, folder, child);
    const isUp = async (): Promise<true | undefined> => {
      const { statusCode, body } = await request(`${rekor.url}/api/v1/log`);
      await body.dump();
      return statusCode === 200 ? true : undefined;
    };
    await waitFor(isUp, { what: 'the Rekor being up', timeoutMs: 60_000 });
    return rekor;
  }

  /** Logs entries of somebody whom nobody watches for, some at a time. */
  async grow(count: number): Promise<void> {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    let left = count;
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.append({ pem, privateKey });
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
  }

  /** Logs an entry by whoever's certificate or key that is. */
  async append({ pem, privateKey }: RawSigner): Promise<void> {
    const payload = randomBytes(16);
    const spec = {
      data: { hash: { algorithm: 'sha256', value: hash('sha256', payload) } },
      signature: {
        content: sign('sha256', payload, privateKey).toString('base64'),
        publicKey: { content: Buffer.from(pem).toString('base64') },
      },
    };
    const { statusCode, body } = await request(`${this.url}/api/v1/log/entries`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: '0.0.1', kind: 'hashedrekord', spec }),
    });
    const text = await body.text();
    if (statusCode !== 201) throw new Error(`Rekor answered with ${statusCode}: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.kill();
    await rm(this.#folder, { recursive: true });
  }
}
