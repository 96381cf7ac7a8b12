import { X509Certificate, generateKeyPairSync, hash, sign } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { parseEnvelope } from '../../statements/dsse.ts';
import { hashLeaf } from '../../transparency/merkle-proof.ts';
import { proofOf, rootOf } from './merkle-tree.ts';

/** What the development log answers: an HTTP status and a JSON value or text. */
export interface LogReply {
  readonly status: number;
  readonly body: unknown;
  readonly location?: string;
}

interface StoredEntry {
  readonly uuid: string;
  readonly body: Buffer;
  readonly leafHash: Buffer;
  readonly integratedTime: number;
  readonly indexedBy: readonly string[];
}

const treeId = '0000000000000001';
const verifier = z.base64();
const proposalShape = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('dsse'),
    apiVersion: z.literal('0.0.1'),
    spec: z.object({
      proposedContent: z.object({ envelope: z.string(), verifiers: z.tuple([verifier]) }),
    }),
  }),
  z.object({
    kind: z.literal('hashedrekord'),
    apiVersion: z.literal('0.0.1'),
    spec: z.object({
      data: z.object({ hash: z.object({ algorithm: z.literal('sha256'), value: z.string() }) }),
      signature: z.object({ content: z.base64(), publicKey: z.object({ content: verifier }) }),
    }),
  }),
]);
// Other kinds are asked for, too; this log has none of them.
const lookUpShape = z.object({ entries: z.array(z.unknown()).max(10) });
const subjectsShape = z.object({
  subject: z.array(z.object({ digest: z.record(z.string(), z.string()) })),
});
const searchShape = z.object({
  hash: z.string().optional(),
  email: z.string().optional(),
  subject: z.string().optional(),
});

type Proposal = z.infer<typeof proposalShape>;

/**
 * DEVELOPMENT LOG: nobody else trusts it, and it forgets everything when it ends. Rekor v1's answers from memory: a real
 * Merkle tree, signed entry timestamps and checkpoints; signatures of proposals are not checked.
 */
export class DevelopmentLog {
  readonly publicKeyDer: Buffer;
  readonly publicKeyPem: string;
  readonly #entries: StoredEntry[] = [];
  readonly #host: string;
  readonly #now: () => Date;
  readonly #privateKey: Parameters<typeof sign>[2];

  constructor(options: { readonly host: string; readonly now: () => Date }) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicKeyDer = publicKey.export({ format: 'der', type: 'spki' });
    this.publicKeyPem = publicKey.export({ format: 'pem', type: 'spki' }).toString();
    this.#privateKey = privateKey;
    this.#host = options.host;
    this.#now = options.now;
  }

  /** SHA-256 of the key. */
  get logId(): Buffer {
    return hash('sha256', this.publicKeyDer, 'buffer');
  }

  /** `POST /api/v1/log/entries` */
  append(json: unknown): LogReply {
    const proposal = proposalShape.parse(json);
    const { body, leafHash, uuid } = leafOf(proposal);
    if (this.#entries.some((entry) => entry.uuid === uuid)) {
      const message = `an equivalent entry already exists in the transparency log with UUID ${uuid}`;
      return { status: 409, body: { code: 409, message }, location: `/api/v1/log/entries/${uuid}` };
    }
    const integratedTime = Math.floor(this.#now().getTime() / 1000);
    this.#entries.push({ uuid, body, leafHash, integratedTime, indexedBy: indexKeysOf(proposal) });
    return { status: 201, body: this.#answer(this.#entries.length - 1) };
  }

  /** `GET /api/v1/log/entries?logIndex=` and `GET /api/v1/log/entries/UUID` */
  find(by: { readonly logIndex: number } | { readonly uuid: string }): LogReply {
    const index =
      'uuid' in by
        ? this.#entries.findIndex((entry) => entry.uuid.endsWith(by.uuid.slice(-64)))
        : by.logIndex;
    return this.#entries[index] === undefined
      ? { status: 404, body: { code: 404, message: 'entry not found' } }
      : { status: 200, body: this.#answer(index) };
  }

  /** `POST /api/v1/log/entries/retrieve`, by proposals */
  lookUp(json: unknown): LogReply {
    const wanted = lookUpShape.parse(json).entries.flatMap((proposal) => {
      const { data } = proposalShape.safeParse(proposal);
      return data === undefined ? [] : [leafOf(data).uuid];
    });
    const found = this.#entries.flatMap(({ uuid }, index) =>
      wanted.includes(uuid) ? [this.#answer(index)] : [],
    );
    return { status: 200, body: found };
  }

  /** `POST /api/v1/index/retrieve` */
  search(json: unknown): LogReply {
    const { hash: digest, email, subject } = searchShape.parse(json);
    const key = digest ?? email ?? subject ?? '';
    const found = this.#entries.filter((entry) => entry.indexedBy.includes(key));
    return { status: 200, body: found.map(({ uuid }) => uuid) };
  }

  #answer(logIndex: number): unknown {
    const entry = this.#entries[logIndex];
    if (entry === undefined) return {};
    const { uuid, integratedTime } = entry;
    const leaves = this.#entries.map(({ leafHash }) => leafHash);
    const logID = this.logId.toString('hex');
    const body = entry.body.toString('base64');
    const promise = Buffer.from(JSON.stringify({ body, integratedTime, logID, logIndex }));
    const inclusionProof = {
      checkpoint: this.#checkpoint(rootOf(leaves)),
      hashes: proofOf(leaves, logIndex).map((node) => node.toString('hex')),
      logIndex,
      rootHash: rootOf(leaves).toString('hex'),
      treeSize: leaves.length,
    };
    const signedEntryTimestamp = sign('sha256', promise, this.#privateKey).toString('base64');
    const verification = { inclusionProof, signedEntryTimestamp };
    return { [uuid]: { body, integratedTime, logID, logIndex, verification } };
  }

  #checkpoint(root: Buffer): string {
    const note = `${this.#host} - 1\n${this.#entries.length}\n${root.toString('base64')}\n`;
    const signature = sign('sha256', Buffer.from(note), this.#privateKey);
    const hinted = Buffer.concat([this.logId.subarray(0, 4), signature]).toString('base64');
    return `${note}\n\u2014 ${this.#host} ${hinted}\n`;
  }
}

function leafOf(proposal: Proposal): Pick<StoredEntry, 'body' | 'leafHash' | 'uuid'> {
  const body = Buffer.from(canonicalize(bodyOf(proposal)) ?? '');
  const leafHash = hashLeaf(body);
  return { body, leafHash, uuid: `${treeId}${leafHash.toString('hex')}` };
}

/** The entry as Rekor keeps it: a dsse entry holds hashes in place of the envelope. */
function bodyOf(proposal: Proposal): unknown {
  if (proposal.kind === 'hashedrekord') return proposal;
  const { envelope, verifiers } = proposal.spec.proposedContent;
  const { payload, signatures } = parseEnvelope(Buffer.from(envelope));
  return {
    apiVersion: proposal.apiVersion,
    kind: proposal.kind,
    spec: {
      envelopeHash: { algorithm: 'sha256', value: hash('sha256', envelope) },
      payloadHash: { algorithm: 'sha256', value: hash('sha256', payload) },
      signatures: signatures.map(({ sig }) => ({
        signature: Buffer.from(sig).toString('base64'),
        verifier: verifiers[0],
      })),
    },
  };
}

function indexKeysOf(proposal: Proposal): string[] {
  if (proposal.kind === 'hashedrekord') {
    const { data, signature } = proposal.spec;
    return [`sha256:${data.hash.value}`, ...identitiesOf(signature.publicKey.content)];
  }
  const { envelope, verifiers } = proposal.spec.proposedContent;
  const { payload } = parseEnvelope(Buffer.from(envelope));
  const statement = subjectsShape.safeParse(JSON.parse(Buffer.from(payload).toString('utf8')));
  const digests = (statement.data?.subject ?? []).flatMap(({ digest }) => Object.entries(digest));
  return [
    `sha256:${hash('sha256', envelope)}`,
    `sha256:${hash('sha256', payload)}`,
    ...digests.map(([algorithm, hex]) => `${algorithm}:${hex}`),
    ...identitiesOf(verifiers[0]),
  ];
}

function identitiesOf(verifierBase64: string): string[] {
  const pem = Buffer.from(verifierBase64, 'base64').toString('utf8');
  if (!pem.includes('BEGIN CERTIFICATE')) return [];
  return (new X509Certificate(pem).subjectAltName ?? '').split(', ').map((name) => name.replace(/^\w+:/, ''));
}
