import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extendRange, emptyRange, rootOfRange } from '../../../src/transparency/compact-range.ts';
import { parseLogKey } from '../../../src/transparency/log-key.ts';
import { hashChildren, hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import type { NamedLogKey } from '../../../src/transparency/rekor-v2-reader.ts';

const width = 256;
const path =
  /^\/api\/v2\/tile\/(?<level>entries|\d+)\/(?<index>(?:x\d{3}\/)*\d{3})(?:\.p\/(?<partial>\d+))?$/;

/** Rekor v2's reading side over entries of one's own, honest unless its fields are changed; on a loopback port. */
export class OwnTileLog implements AsyncDisposable {
  readonly key: NamedLogKey;
  readonly origin = 'own.tiles';
  bodies: Buffer[];
  /** The state that it shows and signed, if not the present one. */
  shownSize: number | undefined;
  /** Changes what it gives; `path` begins with `tile/` or is `checkpoint`; undefined: it has no such thing. */
  edit: (path: string, content: Buffer) => Buffer | undefined = (_, content) => content;
  readonly asked: string[] = [];
  url = '';
  readonly #privateKey: Parameters<typeof sign>[2];
  readonly #server = createServer((request, response) => {
    const name = (request.url ?? '').slice('/api/v2/'.length);
    this.asked.push(name);
    const content = this.#content(request.url ?? '');
    const given = content === undefined ? undefined : this.edit(name, content);
    if (given === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(given);
  });

  private constructor(bodies: readonly Buffer[]) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.#privateKey = privateKey;
    this.bodies = [...bodies];
    const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    this.key = { ...parseLogKey(pem), origin: this.origin };
  }

  static async open(bodies: readonly Buffer[] = []): Promise<OwnTileLog> {
    const log = new OwnTileLog(bodies);
    await new Promise<void>((resolve) => log.#server.listen(0, '127.0.0.1', resolve));
    log.url = `http://127.0.0.1:${(log.#server.address() as AddressInfo).port}`;
    return log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #content(url: string): Buffer | undefined {
    if (url === '/api/v2/checkpoint') return this.#checkpoint();
    const { level, index = '', partial } = path.exec(url)?.groups ?? {};
    if (level === undefined) return undefined;
    const place = Number(index.replaceAll(/[x/]/g, ''));
    const count = partial === undefined ? width : Number(partial);
    const nodes = level === 'entries' ? this.bodies : this.#level(Number(level));
    const found = nodes.slice(place * width, place * width + count);
    if (found.length < count) return undefined;
    return Buffer.concat(level === 'entries' ? found.flatMap((body) => [lengthOf(body), body]) : found);
  }

  #level(level: number): Buffer[] {
    let nodes = this.bodies.map(hashLeaf);
    for (let height = 0; height < level * 8; height += 1) {
      nodes = Array.from({ length: Math.floor(nodes.length / 2) }, (_, at) =>
        hashChildren(nodes[2 * at]!, nodes[2 * at + 1]!),
      );
    }
    return nodes;
  }

  #checkpoint(): Buffer {
    const bodies = this.bodies.slice(0, this.shownSize);
    const root = rootOfRange(extendRange(emptyRange, bodies.map(hashLeaf)));
    const note = `${this.origin}\n${bodies.length}\n${root.toString('base64')}\n`;
    const signature = sign(null, Buffer.from(note), this.#privateKey);
    const line = Buffer.concat([Buffer.alloc(4), signature]).toString('base64');
    return Buffer.from(`${note}\n— ${this.origin} ${line}\n`);
  }
}

function lengthOf(body: Buffer): Buffer {
  return Buffer.of(body.length >> 8, body.length & 0xff);
}
