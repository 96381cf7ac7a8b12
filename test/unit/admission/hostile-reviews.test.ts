import { expect } from 'chai';
import fc from 'fast-check';
import type { AdmissionAnswer } from '../../../src/admission/admission-answer.ts';
import { parseAdmissionReview } from '../../../src/admission/admission-review.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openDoor } from './door.ts';
import type { Door } from './door.ts';

const good = `registry.example/good@${digestOf('good')}`;
const bad = `registry.example/bad@${digestOf('bad')}`;
const policies = [
  { name: 'good', glob: 'registry.example/good*', authorities: [{ static: { action: 'pass' } }] },
  { name: 'bad', glob: 'registry.example/bad*', authorities: [{ static: { action: 'fail' } }] },
];
const store = {
  headManifest: () =>
    Promise.resolve({ mediaType: mediaTypes.ociManifest, digest: digestOf('bad'), size: 1 }),
} as unknown as ImageStore;

const image = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(good, bad) },
  fc.constantFrom(
    '',
    'registry.example/bad',
    'registry.example/bad:v1',
    'REGISTRY/x',
    `${bad}@x`,
    ' ',
    'busybox',
  ),
  fc.jsonValue({ maxDepth: 1 }),
  fc.string(),
);
const junk = fc.jsonValue({ maxDepth: 2 });
const containers = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(fc.record({ name: fc.string(), image }, { requiredKeys: [] }), { maxLength: 4 }),
  },
  junk,
);
const volumes = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(fc.record({ image: fc.oneof(fc.record({ reference: image }), junk) }), {
      maxLength: 2,
    }),
  },
  junk,
);
const podSpec = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record(
      {
        ...{ containers, initContainers: containers, ephemeralContainers: containers, volumes },
        ...{ serviceAccountName: junk, imagePullSecrets: junk },
      },
      { requiredKeys: [] },
    ),
  },
  junk,
);
const metadata = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        uid: fc.constantFrom('a', 'b', ''),
        labels: junk,
        deletionTimestamp: fc.constantFrom('2026-01-01T00:00:00Z', null, 1),
        ownerReferences: junk,
        generateName: junk,
      },
      { requiredKeys: [] },
    ),
  },
  junk,
);
const paths: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  Deployment: ['spec', 'template', 'spec'],
  Job: ['spec', 'template', 'spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};
const kind = fc.constantFrom(...Object.keys(paths));
const objectOf = (of: string): fc.Arbitrary<unknown> =>
  fc.record({ spec: podSpec, replicas: fc.constantFrom(undefined, 0, 3), metadata }).map((parts) => {
    const [outer = 'spec', ...inner] = paths[of] ?? [];
    const nested = inner.toReversed().reduce<unknown>((value, name) => ({ [name]: value }), parts.spec);
    const scaled = inner.length === 0 ? nested : { replicas: parts.replicas, ...(nested as object) };
    return { apiVersion: 'v1', kind: of, metadata: parts.metadata, [outer]: scaled };
  });
const review = kind.chain((of) =>
  fc.record({
    apiVersion: fc.constant('admission.k8s.io/v1'),
    kind: fc.constant('AdmissionReview'),
    request: fc.record(
      {
        uid: fc.constant('u'),
        kind: fc.constantFrom(
          { group: '', version: 'v1', kind: of },
          { group: '', version: 'v1', kind: 'Pod' },
        ),
        operation: fc.constantFrom('CREATE', 'UPDATE'),
        subResource: fc.constantFrom('', 'ephemeralcontainers', 'resize'),
        object: fc.oneof({ weight: 9, arbitrary: objectOf(of) }, junk),
        oldObject: fc.oneof(fc.constant(null), objectOf(of)),
        dryRun: fc.boolean(),
      },
      { requiredKeys: ['uid', 'kind', 'operation'] },
    ),
  }),
);

/** Every text under a key that names an image, wherever in the object. */
function textsOfImages(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    ...((name === 'image' || name === 'reference') && typeof inner === 'string' ? [inner] : []),
    ...textsOfImages(inner),
  ]);
}

interface Asked {
  readonly operation?: string;
  readonly object?: unknown;
  readonly oldObject?: unknown;
}

/** Whether the request brings a forbidden image: one whose text the same object did not have before. */
function bringsForbidden({ operation, object, oldObject }: Asked): boolean {
  const uidOf = (one: unknown): unknown => (one as { metadata?: { uid?: unknown } } | null)?.metadata?.uid;
  const uid = uidOf(object);
  const isSame = operation === 'UPDATE' && typeof uid === 'string' && uid !== '' && uid === uidOf(oldObject);
  const before = new Set(isSame ? textsOfImages(oldObject) : []);
  return textsOfImages(object).some((text) => text.startsWith('registry.example/bad') && !before.has(text));
}

describe('hostile reviews', () => {
  let door: Door;
  before(async () => {
    door = await openDoor({ store, policies });
  });

  const answerTo = async (body: Buffer): Promise<AdmissionAnswer | 'refused'> => {
    try {
      return await door.validate(parseAdmissionReview(body));
    } catch (error) {
      if (isAppError(error) && error.code === 'ERR_ADMISSION_REVIEW') return 'refused';
      throw error;
    }
  };

  it('never bring in an image that is forbidden, and never a crash', async () => {
    const counts = { allowed: 0, denied: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(review, async (value) => {
        const answer = await answerTo(Buffer.from(JSON.stringify(value)));
        counts[answer === 'refused' ? 'refused' : answer.allowed ? 'allowed' : 'denied'] += 1;
        if (answer === 'refused' || !answer.allowed) return;
        const asked = JSON.parse(JSON.stringify(value.request)) as Asked;
        expect(bringsForbidden(asked), JSON.stringify(asked)).to.equal(false);
      }),
      { numRuns: 10_000 },
    );
    // A property that nearly all inputs meet for another reason would prove little.
    for (const [what, count] of Object.entries(counts)) expect(count, what).to.be.above(300);
  }).timeout(120_000);

  it('get a patch that changes nothing but tags, and never a crash', async () => {
    await fc.assert(
      fc.asyncProperty(review, async (value) => {
        const body = Buffer.from(JSON.stringify(value));
        const answer = await Promise.resolve()
          .then(() => door.mutate(parseAdmissionReview(body)))
          .catch((error: unknown) => (isAppError(error) ? undefined : Promise.reject(error as Error)));
        for (const { path, value: text } of answer?.patch ?? []) {
          expect(path).to.match(/^\/spec\/(?:\w+\/)*\d+\/image(?:\/reference)?$/);
          expect(text).to.match(/^registry\.example\/(?:good|bad).*@sha256:[\da-f]{64}$/);
        }
      }),
      { numRuns: 2000 },
    );
  }).timeout(120_000);
});
