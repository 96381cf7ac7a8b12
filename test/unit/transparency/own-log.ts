import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { proofOf, rootOf } from '../../../src/commands/development-sigstore/merkle-tree.ts';
import { parseLogKey } from '../../../src/transparency/log-key.ts';
import type { LogKey } from '../../../src/transparency/log-key.ts';
import { hashLeaf } from '../../../src/transparency/merkle-proof.ts';
import { consistencyProofOf } from './consistency-tree.ts';

/** A tree of the log; what is in it may be changed, which the log then signs. */
export interface OwnTree {
  readonly treeId: string;
  bodies: Buffer[];
}

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

const integratedTime = 1_790_000_000;

/** Rekor v1's reading side over trees of one's own, honest unless its fields are changed; on a loopback port. */
export class OwnLog implements AsyncDisposable {
  readonly key: LogKey;
  readonly trees: OwnTree[] = [{ treeId: '1', bodies: [] }];
  /** Indexes that it keeps back. */
  readonly hidden = new Set<number>();
  /** Every answer is this status while it is set. */
  failing: number | undefined;
  readonly asked: string[] = [];
  url = '';
  readonly #privateKey: Parameters<typeof sign>[2];
  /** Large entries are not hashed for each answer. */
  readonly #leaves = new WeakMap<Buffer, Buffer>();
  readonly #leafOf = (body: Buffer): Buffer => {
    const leaf = this.#leaves.get(body) ?? hashLeaf(body);
    this.#leaves.set(body, leaf);
    return leaf;
  };
  readonly #server = createServer((request, response) => {
    void (async () => {
      const body = (await request.toArray()).join('');
      const { status, json } = this.#answer(`${request.method} ${request.url}`, body);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    })();
  });

  private constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    this.key = parseLogKey(publicKey.export({ format: 'pem', type: 'spki' }).toString());
  }

  static async open(bodies: readonly Buffer[] = []): Promise<OwnLog> {
    const log = new OwnLog();
    log.add(...bodies);
    await new Promise<void>((resolve) => log.#server.listen(0, '127.0.0.1', resolve));
    log.url = `http://127.0.0.1:${(log.#server.address() as AddressInfo).port}`;
    return log;
  }

  add(...bodies: readonly Buffer[]): void {
    this.trees.at(-1)!.bodies.push(...bodies);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(call: string, body: string): Answer {
    this.asked.push(call);
    if (this.failing !== undefined) return { status: this.failing, json: { message: 'out of order' } };
    const url = new URL(call.slice(call.indexOf('/')), 'http://log');
    if (url.pathname.endsWith('/retrieve')) {
      const { logIndexes } = JSON.parse(body) as { logIndexes: number[] };
      return { status: 200, json: logIndexes.flatMap((index) => this.#entry(index)) };
    }
    if (url.pathname.endsWith('/entries')) {
      const [entry] = this.#entry(Number(url.searchParams.get('logIndex')));
      return entry === undefined ? { status: 404, json: {} } : { status: 200, json: entry };
    }
    if (url.pathname.endsWith('/proof')) return this.#proof(url.searchParams);
    const [active, ...inactive] = this.trees.map((tree) => this.#head(tree)).toReversed();
    return { status: 200, json: { ...active, inactiveShards: inactive.toReversed() } };
  }

  #proof(query: URLSearchParams): Answer {
    const tree = this.trees.find(({ treeId }) => treeId === query.get('treeID'))!;
    const [first, last] = [Number(query.get('firstSize')), Number(query.get('lastSize'))];
    if (last > tree.bodies.length) return { status: 400, json: { message: 'lastSize is beyond the tree' } };
    const hashes = consistencyProofOf(tree.bodies.slice(0, last).map(this.#leafOf), first);
    return { status: 200, json: { hashes: hashes.map((node) => node.toString('hex')) } };
  }

  #head({ treeId, bodies }: OwnTree): object {
    return { treeID: treeId, treeSize: bodies.length, signedTreeHead: this.#checkpoint(treeId, bodies) };
  }

  #checkpoint(treeId: string, bodies: readonly Buffer[]): string {
    const note = `own.log - ${treeId}\n${bodies.length}\n${rootOf(bodies.map(this.#leafOf)).toString('base64')}\n`;
    const signature = sign('sha256', Buffer.from(note), this.#privateKey);
    return `${note}\n— own.log ${Buffer.concat([Buffer.alloc(4), signature]).toString('base64')}\n`;
  }

  #entry(logIndex: number): object[] {
    let at = logIndex;
    const tree = this.trees.find(({ bodies }) => {
      if (at < bodies.length) return true;
      at -= bodies.length;
      return false;
    });
    const body = tree?.bodies[at];
    if (tree === undefined || body === undefined || this.hidden.has(logIndex)) return [];
    const leaves = tree.bodies.map(this.#leafOf);
    const inclusionProof = {
      checkpoint: this.#checkpoint(tree.treeId, tree.bodies),
      hashes: proofOf(leaves, at).map((node) => node.toString('hex')),
      logIndex: at,
      rootHash: rootOf(leaves).toString('hex'),
      treeSize: leaves.length,
    };
    const verification = { signedEntryTimestamp: 'AAAA', inclusionProof };
    const answer = {
      body: body.toString('base64'),
      integratedTime,
      logID: this.key.logId,
      logIndex,
      verification,
    };
    return [{ [hashLeaf(body).toString('hex')]: answer }];
  }
}
