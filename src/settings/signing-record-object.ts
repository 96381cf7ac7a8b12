import { z } from 'zod';
import { AppError } from '../model/errors.ts';
import type { RecordedArtifact, SigningRecord } from '../model/signing-record.ts';
import { apiVersion } from './settings-object.ts';
import { listIssues } from './settings-fault.ts';
import { signingRecordSchema } from './signing-record-schema.ts';
import type { SigningRecordSpec } from './signing-record-schema.ts';

const objectSchema = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('SigningRecord'),
  metadata: z.looseObject({
    namespace: z.string(),
    name: z.string(),
    resourceVersion: z.string().optional(),
  }),
  spec: signingRecordSchema,
});

/** A SigningRecord as Kubernetes object. */
export interface SigningRecordObject {
  readonly apiVersion: typeof apiVersion;
  readonly kind: 'SigningRecord';
  readonly metadata: {
    readonly namespace: string;
    /** UID of the run. */
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
  };
  readonly spec: Omit<SigningRecord, 'namespace' | 'uid' | 'version'>;
}

// Bound of the CRD; a longer text must not keep the record from being written.
const maxFaultLength = 4096;
// A label value holds 63 characters, a run's name up to 253; a longer one is in spec only.
const maxLabelLength = 63;

// etcd takes 1.5 MiB, the object's frame and managed fields included; a record of one image takes some 3 KiB.
const maxSpecBytes = 1024 * 1024;

/**
 * `spec` within what etcd takes: of very many artifacts only the first destination of each is noted, since the registry
 * tells of the others. Throws ERR_SIGNING_RECORD_SIZE.
 */
function withinBounds(spec: SigningRecordObject['spec'], object: string): SigningRecordObject['spec'] {
  if (bytesOf(spec) <= maxSpecBytes) return spec;
  const short = {
    ...spec,
    artifacts: spec.artifacts.map((artifact) => ({
      ...artifact,
      destinations: artifact.destinations.slice(0, 1),
    })),
  };
  if (bytesOf(short) <= maxSpecBytes) return short;
  throw new AppError(
    'ERR_SIGNING_RECORD_SIZE',
    `the record of ${object} would be larger than ${maxSpecBytes} bytes: ${spec.artifacts.length} artifacts`,
    {
      kind: 'permanent',
      object,
      remedy: 'Let one run build fewer images, and give them shorter names.',
    },
  );
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** The Kubernetes object of `record`: named by the run's UID, labelled with the run's name. Throws ERR_SIGNING_RECORD_SIZE. */
export function toRecordObject(record: SigningRecord): SigningRecordObject {
  const { namespace, uid, version, fault, ...rest } = record;
  const whole = fault === undefined ? rest : { ...rest, fault: fault.slice(0, maxFaultLength) };
  const spec = withinBounds(whole, `${namespace}/${rest.run.name}`);
  return {
    apiVersion,
    kind: 'SigningRecord',
    metadata: {
      namespace,
      name: uid,
      labels: spec.run.name.length > maxLabelLength ? {} : { 'chainwright.dev/run-name': spec.run.name },
      ...(version === undefined ? {} : { resourceVersion: version }),
    },
    spec,
  };
}

/**
 * The record that a Kubernetes object holds; nothing in it is believed before it fits the schema. `where` is named
 * in messages. Throws ERR_SIGNING_RECORD_INVALID.
 */
export function fromRecordObject(object: unknown, where: string): SigningRecord {
  const parsed = objectSchema.safeParse(object);
  if (!parsed.success) {
    const [first] = listIssues(parsed.error, object);
    throw new AppError(
      'ERR_SIGNING_RECORD_INVALID',
      `${where} is no SigningRecord: ${first?.path.join('.') ?? ''} ${first?.rule ?? ''}`,
      {
        kind: 'permanent',
        object: where,
        remedy: 'Somebody changed it by hand: put it right, or delete it, then the run is signed anew.',
      },
    );
  }
  const { metadata, spec } = parsed.data;
  return {
    namespace: metadata.namespace,
    uid: metadata.name,
    run: spec.run,
    phase: spec.phase,
    artifacts: spec.artifacts.map(toArtifact),
    ...(spec.fault === undefined ? {} : { fault: spec.fault }),
    ...(metadata.resourceVersion === undefined ? {} : { version: metadata.resourceVersion }),
  };
}

function toArtifact({
  entry,
  furtherEntries,
  signedDigest,
  ...rest
}: SigningRecordSpec['artifacts'][number]): RecordedArtifact {
  return {
    ...rest,
    ...(signedDigest === undefined ? {} : { signedDigest }),
    ...(entry === undefined ? {} : { entry }),
    ...(furtherEntries === undefined ? {} : { furtherEntries }),
  };
}
