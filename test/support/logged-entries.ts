import { X509Certificate, createHash } from 'node:crypto';
import type { RecordedArtifact, SigningRecord } from '../../src/model/signing-record.ts';
import type { Judges, PrintedEntry } from './judges.ts';
import type { KubeApi, KubeObject } from './kube-api.ts';
import { waitFor } from './waiting.ts';

/** What a log entry says about who signed what. */
export interface LoggedFact {
  readonly logIndex: number;
  /** `sha256:…` of the signed payload. */
  readonly payloadDigest: string;
  /** SHA-256 over the SPKI of the key in its certificate, hex. */
  readonly keyFingerprint: string;
}

interface RecordObject extends KubeObject {
  readonly spec: Omit<SigningRecord, 'namespace' | 'uid'>;
}

/** The signing records of a namespace, as the API server holds them. */
export async function listRecords(api: KubeApi, namespace: string): Promise<readonly RecordObject[]> {
  return api.list<RecordObject>(`/apis/chainwright.dev/v1alpha1/namespaces/${namespace}/signingrecords`);
}

/**
 * Every log entry about an image: those that name its digest as a subject, and those over a payload that `artifacts`
 * name, which is how an image signature's entry is found.
 */
export async function findLoggedFacts(
  judges: Judges,
  digest: string,
  artifacts: readonly RecordedArtifact[],
): Promise<readonly LoggedFact[]> {
  const searched = [digest, ...new Set(artifacts.map(({ payloadDigest }) => payloadDigest))];
  const uuids = new Set<string>();
  for (const one of searched) for (const uuid of await judges.search(one)) uuids.add(uuid);
  return Promise.all([...uuids].map(async (uuid) => factOf(await judges.getEntryByUuid(uuid))));
}

/**
 * Every log entry about an image as soon as so many are found: Rekor answers for an entry before its search index has it.
 */
export async function untilLogged(
  judges: Judges,
  {
    digest,
    artifacts,
    atLeast,
  }: {
    readonly digest: string;
    readonly artifacts: readonly RecordedArtifact[];
    readonly atLeast: number;
  },
): Promise<readonly LoggedFact[]> {
  return waitFor(
    async () => {
      const facts = await findLoggedFacts(judges, digest, artifacts);
      return facts.length >= atLeast ? facts : undefined;
    },
    { what: `${atLeast} log entries about ${digest}`, timeoutMs: 30_000 },
  );
}

/** True if a record says that this payload was going to be signed with this key. */
export function isExplained(fact: LoggedFact, artifacts: readonly RecordedArtifact[]): boolean {
  return artifacts.some(
    ({ payloadDigest, keyFingerprints }) =>
      payloadDigest === fact.payloadDigest && keyFingerprints.includes(fact.keyFingerprint),
  );
}

interface DsseBody {
  readonly payloadHash: { readonly value: string };
  readonly signatures: readonly { readonly verifier: string }[];
}

interface HashedRekordBody {
  readonly data: { readonly hash: { readonly value: string } };
  readonly signature: { readonly publicKey: { readonly content: string } };
}

function factOf({ LogIndex: logIndex, Body }: PrintedEntry): LoggedFact {
  if ('DSSEObj' in Body) {
    const { payloadHash, signatures } = Body['DSSEObj'] as DsseBody;
    const keyFingerprint = fingerprintOf(signatures[0]?.verifier ?? '');
    return { logIndex, payloadDigest: `sha256:${payloadHash.value}`, keyFingerprint };
  }
  const { data, signature } = Body['HashedRekordObj'] as HashedRekordBody;
  const keyFingerprint = fingerprintOf(signature.publicKey.content);
  return { logIndex, payloadDigest: `sha256:${data.hash.value}`, keyFingerprint };
}

function fingerprintOf(base64Pem: string): string {
  const { publicKey } = new X509Certificate(Buffer.from(base64Pem, 'base64'));
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}
