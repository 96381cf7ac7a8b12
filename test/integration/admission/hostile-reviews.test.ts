import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { Agent, request } from 'undici';
import { credential } from '../../../hack/stack/certificates.ts';
import type { AdmissionServer } from '../../../src/admission/admission-server.ts';
import { startAdmissionServer } from '../../../src/admission/admission-server.ts';
import { silentLog } from '../../../src/model/log.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { isFullRun } from '../../support/full-run.ts';
import { imagesLetIn } from '../../support/hostile/admitted-images.ts';
import type { Edit } from '../../support/hostile/evidence-edits.ts';
import { editText } from '../../support/hostile/evidence-edits.ts';
import type { Door } from '../../unit/admission/door.ts';
import { deploymentOf, openDoor, podOf, requestOf } from '../../unit/admission/door.ts';
import { attachSignature, makeKey, pushTestImage } from '../../unit/policy/key-evidence.ts';

const cases = isFullRun ? 10_000 : 600;
// Guards against hanging, on a busy machine too.
const longestMs = 30_000;

interface Answer {
  readonly status: number;
  readonly response?: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patchType?: string;
    readonly patch?: string;
  };
}

const edits = fc.array(
  fc.record({ what: fc.nat(1000), target: fc.nat(1000), at: fc.nat(1_000_000), from: fc.nat(1_000_000) }),
  { minLength: 0, maxLength: 4 },
);

describe('hostile admission reviews', () => {
  let folder: string;
  let door: Door;
  let server: AdmissionServer;
  let agent: Agent;
  let good: string;
  let bad: string;
  let slowestMs = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-reviews-'));
    const store = await openLayoutStore(folder, systemClock);
    const key = await makeKey();
    const signed = await pushTestImage(store, 'signed');
    await attachSignature(store, signed, key);
    const nameOf = ({ digest }: { digest: string }): string => `registry.example/team/app@${digest}`;
    good = nameOf(signed);
    bad = nameOf(await pushTestImage(store, 'unsigned'));
    door = await openDoor({ store, policies: [{ authorities: [{ key: { data: key.pem } }] }] });
    const [certificatePem, keyPem, authorityPem] = await Promise.all(
      ['kubernetes.crt', 'kubernetes.key', 'ca.crt'].map((name) => readFile(credential(name), 'utf8')),
    );
    server = await startAdmissionServer({
      address: '127.0.0.1:0',
      certificate: { certificatePem: certificatePem!, keyPem: keyPem!, authorityPem: authorityPem! },
      routes: new Map([
        ['/validate', { kind: 'validate', review: (asked, { signal }) => door.validate(asked, signal) }],
        ['/mutate', { kind: 'mutate', review: (asked, { signal }) => door.mutate(asked, signal) }],
      ]),
      // The server answers what hangs when this is over, which has to count as hanging.
      timeoutMs: 2 * longestMs,
      metrics: { reviewTook: () => undefined },
      log: silentLog,
    });
    agent = new Agent({ connect: { ca: authorityPem!, servername: 'localhost' } });
  });

  after(async () => {
    await agent.destroy();
    await server.close({ drainMs: 1000 });
    await rm(folder, { recursive: true });
    if (isFullRun) console.log(`      the slowest case took ${slowestMs.toFixed(0)} ms`);
  });

  const ask = async (path: '/validate' | '/mutate', body: string): Promise<Answer> => {
    const began = performance.now();
    const answer = await request(`https://${server.address}${path}`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await answer.body.text();
    slowestMs = Math.max(slowestMs, performance.now() - began);
    if (answer.statusCode !== 200) return { status: answer.statusCode };
    return { status: 200, response: (JSON.parse(text) as Required<Answer>).response };
  };
  const reviewOf = (object: object, more: object = {}): object => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { ...requestOf({ ...object }, more), userInfo: { username: 'alice', groups: ['all'] } },
  });
  /** Genuine reviews: of good images, and of bad ones in each place. */
  const genuine = (): readonly object[] => [
    reviewOf(podOf([good])),
    reviewOf(podOf([good, bad])),
    reviewOf(deploymentOf([good])),
    reviewOf(deploymentOf([bad])),
    reviewOf(podOf([good, bad]), { oldObject: podOf([bad]) }),
    reviewOf(podOf([good, bad]), { oldObject: podOf([good]) }),
    reviewOf(deploymentOf([bad], { replicas: 1 }), { oldObject: deploymentOf([good], { replicas: 5 }) }),
    reviewOf({
      ...podOf([good]),
      spec: { containers: [{ image: good }], volumes: [{ name: 'data', image: { reference: bad } }] },
    }),
    reviewOf({
      ...podOf([good]),
      spec: { containers: [{ image: good }], ephemeralContainers: [{ name: 'debugger', image: bad }] },
    }),
  ];
  const isSupported = (body: string): boolean => {
    const { images, isKnown } = imagesLetIn(JSON.parse(body));
    return isKnown && images.every((image) => image === good);
  };
  const editReview = (review: string, { what, target, at, from }: Edit): string => {
    const swaps: readonly (() => string)[] = [
      () => review.replaceAll(bad, good),
      () => review.replace(good, bad),
      () =>
        review.replace(
          /"(?:CREATE|UPDATE)"/,
          () => ['"CREATE"', '"UPDATE"', '"DELETE"', '"X"'][at % 4] ?? '""',
        ),
      () =>
        review.replace(
          /"(?:Pod|Deployment)"/,
          () => ['"Pod"', '"Deployment"', '"Job"', '"Secret"'][at % 4] ?? '""',
        ),
      () =>
        review.replace(/"(?:containers|ephemeralContainers|volumes|image|template|spec)"/, '"Containers"'),
      () =>
        review.replace(
          /"(?:object|oldObject)"/,
          () => ['"object"', '"oldObject"', '"objects"'][at % 3] ?? '""',
        ),
      () =>
        review.replace(
          /"subResource":""/,
          `"subResource":"${['status', 'scale', 'ephemeralcontainers', 'log'][at % 4] ?? ''}"`,
        ),
    ];
    if (target % 3 === 0) return (swaps[what % swaps.length] ?? (() => review))();
    return editText(review, { what, target, at, from });
  };

  it('are answered as they ought to be while nobody has touched them', async () => {
    const verdicts = await Promise.all(genuine().map((review) => ask('/validate', JSON.stringify(review))));
    expect(verdicts.map(({ response }) => response?.allowed)).to.deep.equal(
      genuine().map((review) => isSupported(JSON.stringify(review))),
    );
    expect(verdicts.filter(({ response }) => response?.allowed === true)).to.have.length(3);
  });

  it(`never crash the server, never hang and let no unsigned image in, in ${cases} cases`, async () => {
    slowestMs = 0;
    const trial = async (index: number, list: readonly Edit[]): Promise<void> => {
      const review = genuine()[index % genuine().length] ?? {};
      const body = list.reduce(editReview, JSON.stringify(review));
      const { response } = await ask('/validate', body);
      if (response?.allowed === true) expect(isSupported(body), 'let in without support').to.equal(true);
      const mutation = await ask('/mutate', body);
      const patch = Buffer.from(mutation.response?.patch ?? 'W10=', 'base64').toString('utf8');
      for (const { op, path } of JSON.parse(patch) as { op: string; path: string }[]) {
        expect(`${op} ${path}`).to.match(/^replace \/spec\/.*\/(?:image|reference)$/);
      }
    };
    await fc.assert(fc.asyncProperty(fc.nat(1000), edits, trial), { numRuns: cases });
    expect((await ask('/validate', JSON.stringify(reviewOf(podOf([good]))))).response?.allowed).to.equal(
      true,
    );
    expect(slowestMs).to.be.lessThan(longestMs);
  }).timeout(isFullRun ? 3_600_000 : 300_000);
});
