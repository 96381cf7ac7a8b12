import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { deadlineFault } from '../../../src/admission/admission-fault.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { FaultKind } from '../../../src/model/errors.ts';
import { formatRepository } from '../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { overlaid } from '../policy/judging.ts';
import { attachSignature, makeKey, pushTestImage } from '../policy/key-evidence.ts';
import type { TestKey } from '../policy/key-evidence.ts';
import { pushImage } from '../registry/sample-images.ts';
import { deploymentOf, openDoor, podOf, putPolicy, requestOf } from './door.ts';
import type { DoorOptions } from './door.ts';

const allowing = { static: { action: 'pass' } };
const forbidding = { static: { action: 'fail', message: 'not here' } };
const hanging = (): Promise<never> => new Promise(() => undefined);

describe('validating a workload', () => {
  let folder = '';
  let store: ImageStore;
  let key: TestKey;
  let signed: PinnedImage;
  let unsigned: PinnedImage;
  const refOf = ({ repository, digest }: PinnedImage): string => `${formatRepository(repository)}@${digest}`;
  const byKey = (): object => ({ name: 'ours', key: { data: key.pem } });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-door-'));
    store = await openLayoutStore(folder, systemClock);
    key = await makeKey();
    signed = await pushTestImage(store, 'signed');
    await attachSignature(store, signed, key);
    unsigned = await pushTestImage(store, 'unsigned');
    await pushImage(store, signed.repository, 'signed', 'v1');
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const open = (more: Partial<DoorOptions> = {}): ReturnType<typeof openDoor> =>
    openDoor({ store, policies: [{ authorities: [byKey()] }], ...more });
  const failing = (kind: FaultKind, code = 'ERR_REGISTRY_UNREACHABLE'): ImageStore => {
    const fault = new AppError(code, 'registry.example could not be reached: ECONNREFUSED', {
      kind,
      remedy: 'Check the address.',
    });
    const reject = (): Promise<never> => Promise.reject(fault);
    return overlaid(store, { headManifest: reject, getManifest: reject, listReferrers: reject });
  };

  it('admits a Pod whose images are vouched for', async () => {
    const door = await open();
    expect(await door.validate(requestOf(podOf([refOf(signed)])))).to.deep.equal({
      allowed: true,
      warnings: [],
    });
    expect(door.decisions).to.deep.equal([{ policy: 'test', outcome: 'admitted', reason: 'passed' }]);
    expect(door.events).to.deep.equal([]);
    expect(door.lines[0]).to.include({
      ...{
        message: 'decision',
        decision: 'admitted',
        namespace: 'shop',
        kind: 'Pod',
        name: 'pod',
        user: 'alice',
      },
      ...{ image: refOf(signed), digest: signed.digest, policy: 'test', dryRun: false },
    });
  });

  it('denies one of an unsigned image with 403, naming place, image, policy, authority, check and next step', async () => {
    const door = await open();
    const { allowed, refusal } = await door.validate(requestOf(podOf([refOf(signed), refOf(unsigned)])));
    expect(allowed).to.equal(false);
    expect(refusal?.code).to.equal(403);
    expect(refusal?.message).to.equal(
      `validation failed: failed policy: test: spec.containers[1].image: ${refOf(unsigned)}: authority ours: ` +
        'signature missing (no signature lies beside the image). Next: Nobody who counts has signed it: build the ' +
        'image by the pipeline, or wait until its run is signed.',
    );
    expect(door.events.map(({ reason, message }) => [reason, message.slice(0, 27)])).to.deep.equal([
      ['ImageDenied', 'Pod pod: failed policy: tes'],
    ]);
    expect(door.lines.map(({ decision, check, code }) => [decision, check, code])).to.deep.equal([
      ['admitted', undefined, undefined],
      ['denied', 'signature', 'ERR_POLICY_EVIDENCE_MISSING'],
    ]);
  });

  it('names every image that is denied, and an image that stands twice once with both places', async () => {
    const other = await pushTestImage(store, 'another');
    const door = await open();
    const { refusal } = await door.validate(
      requestOf(deploymentOf([refOf(unsigned), refOf(other), refOf(unsigned)])),
    );
    const [first = '', second = '', ...rest] = refusal?.message.split('\n') ?? [];
    expect(first).to.include(
      'spec.template.spec.containers[0].image, spec.template.spec.containers[2].image: ',
    );
    expect(second).to.match(/^failed policy: test: .*containers\[1\]/);
    expect(rest).to.deep.equal([]);
  });

  it('warns where the policy only warns', async () => {
    const door = await open({ policies: [{ mode: 'warn', authorities: [byKey()] }] });
    const { allowed, warnings } = await door.validate(requestOf(podOf([refOf(unsigned)])));
    expect(allowed).to.equal(true);
    expect(warnings.join(' ')).to.match(/^failed policy: test: .*signature missing/);
    for (const warning of warnings) expect(warning.length).to.be.at.most(256);
    expect(door.events.map(({ reason }) => reason)).to.deep.equal(['ImageWarned']);
  });

  it('leaves no trace of a dry run but a line in the log', async () => {
    const door = await open();
    const { allowed } = await door.validate(requestOf(podOf([refOf(unsigned)]), { dryRun: true }));
    expect(allowed).to.equal(false);
    expect(door.lines).to.have.length(1);
    expect(door.lines[0]).to.include({ dryRun: true });
    expect([...door.events, ...door.decisions]).to.deep.equal([]);
  });

  const unmatched = {
    deny: [false, 0, 'denies'],
    warn: [true, 1, 'warns of'],
    allow: [true, 0, 'admits'],
  } as const;
  for (const [noMatch, [allowed, warnings, verb]] of Object.entries(unmatched)) {
    for (const suffix of ['', `@sha256:${'ab'.repeat(32)}`]) {
      it(`${verb} an image${suffix === '' ? ' by tag' : ''} that no policy is about, without asking its registry`, async () => {
        const door = await open({ store: failing('passing'), noMatch: noMatch as 'deny' });
        const answer = await door.validate(requestOf(podOf([`elsewhere.example/app${suffix}`])));
        expect([answer.allowed, answer.warnings.length > 0 ? 1 : 0]).to.deep.equal([allowed, warnings]);
        if (!allowed)
          expect(answer.refusal?.message).to.include('no matching policies: spec.containers[0].image');
      });
    }
  }

  it('denies a text that is no image', async () => {
    const { refusal } = await (await open()).validate(requestOf(podOf(['in@valid'])));
    expect(refusal).to.deep.equal({
      code: 403,
      message:
        'validation failed: could not parse reference: spec.containers[0].image: in@valid. ' +
        'Next: Write the image as HOST/PATH:TAG or HOST/PATH@sha256:HEX.',
    });
  });

  it('denies a tag in a Pod with the digest that it means now', async () => {
    const image = `${formatRepository(signed.repository)}:v1`;
    const { refusal } = await (await open()).validate(requestOf(podOf([image])));
    expect(refusal?.code).to.equal(403);
    expect(refusal?.message).to.include('must be an image digest: spec.containers[0].image: ');
    expect(refusal?.message).to.include(`Write ${image}@${signed.digest}`);
  });

  it('judges a tag in a template by what it means now, and says that Pods are pinned', async () => {
    const image = `${formatRepository(signed.repository)}:v1`;
    const { allowed, warnings } = await (await open()).validate(requestOf(deploymentOf([image])));
    expect(allowed).to.equal(true);
    expect(warnings).to.deep.equal([
      `${image} is a tag: each Pod gets the digest that it means when the Pod is made`,
    ]);
  });

  it('denies any tag that a policy may be about where tags are not resolved', async () => {
    const door = await open({ resolveTags: false, store: failing('passing') });
    const { refusal } = await door.validate(
      requestOf(deploymentOf([`${formatRepository(signed.repository)}:v1`])),
    );
    expect(refusal?.message).to.match(/must be an image digest.*Name the image by its digest/);
  });

  it('says why a tag could not be resolved', async () => {
    const absent = await (
      await open()
    ).validate(requestOf(podOf([`${formatRepository(signed.repository)}:none`])));
    expect(absent.refusal?.code).to.equal(403);
    expect(absent.refusal?.message).to.match(
      /cannot verify: .*the registry does not hold .*:none\. Next: Push the image/,
    );
  });

  it('answers 503 with the fault and what to do when the registry is away, and 500 for our own faults', async () => {
    const away = await (
      await open({ store: failing('passing') })
    ).validate(requestOf(podOf([refOf(signed)])));
    expect(away.refusal).to.deep.equal({
      code: 503,
      message:
        `validation failed: cannot verify: spec.containers[0].image: ${refOf(signed)}: registry.example could not be ` +
        'reached: ECONNREFUSED. Next: Check the address.',
    });
    const broken = overlaid(store, { getManifest: () => Promise.reject(new TypeError('oops')) });
    const ours = await (await open({ store: broken })).validate(requestOf(podOf([refOf(signed)])));
    expect(ours.refusal?.code).to.equal(500);
  });

  it('tells of pull secrets that could not be read when the registry refuses', async () => {
    const door = await open({
      store: failing('passing', 'ERR_REGISTRY_DENIED'),
      problems: ['Secret shop/pull: not found'],
    });
    const { refusal } = await door.validate(requestOf(podOf([refOf(signed)])));
    expect(refusal?.message).to.include('(Secret shop/pull: not found)');
  });

  it('warns only when a policy that only warns could not be asked', async () => {
    const warning = { mode: 'warn' as const, authorities: [byKey()] };
    const door = await open({ store: failing('passing'), policies: [warning] });
    const answer = await door.validate(requestOf(podOf([refOf(signed)])));
    expect(answer.allowed).to.equal(true);
    expect(answer.warnings[0]).to.match(/^cannot verify: /);
    await putPolicy(door.register, { name: 'strict', authorities: [byKey()] });
    expect((await door.validate(requestOf(podOf([refOf(signed)])))).allowed).to.equal(false);
  });

  it('puts what is known to be bad before what could not be found out', async () => {
    const door = await open({
      store: failing('passing'),
      policies: [
        { authorities: [byKey()] },
        { name: 'bad', glob: 'bad.example/**', authorities: [forbidding] },
      ],
    });
    const bad = `bad.example/app@${unsigned.digest}`;
    const { refusal } = await door.validate(requestOf(podOf([refOf(signed), bad])));
    expect(refusal?.code).to.equal(403);
    expect(
      refusal?.message.split('\n').map((line) => /bad\.example|cannot verify/.exec(line)?.[0]),
    ).to.deep.equal(['bad.example', 'cannot verify']);
  });

  it('answers at its deadline though the registry hangs, and finds the result at the next try', async () => {
    const release = Promise.withResolvers<undefined>();
    const slow = overlaid(store, {
      getManifest: async (...args) => {
        await release.promise;
        return store.getManifest(...args);
      },
    });
    const door = await open({ store: slow });
    const late = new AbortController();
    const answering = door.validate(requestOf(podOf([refOf(signed)])), late.signal);
    late.abort(deadlineFault(9000));
    const { refusal } = await answering;
    expect(refusal?.code).to.equal(503);
    expect(refusal?.message).to.match(
      /it was not finished within 9 s \(the image lies in registry\.example\)\. Next: Try again/,
    );
    release.resolve(undefined);
    expect((await door.validate(requestOf(podOf([refOf(signed)])))).allowed).to.equal(true);
    expect(door.asked.filter((asked) => asked.startsWith('verdict'))).to.deep.equal([
      'verdict miss',
      'verdict joined',
    ]);
  });

  it('keeps what was found about other images when one registry hangs', async () => {
    const door = await open({
      store: overlaid(store, { getManifest: hanging, listReferrers: hanging }),
      policies: [
        { authorities: [byKey()] },
        { name: 'bad', glob: 'bad.example/**', authorities: [forbidding] },
      ],
    });
    const late = new AbortController();
    const bad = `bad.example/app@${unsigned.digest}`;
    const answering = door.validate(requestOf(podOf([refOf(signed), bad])), late.signal);
    setImmediate(() => {
      late.abort(deadlineFault(9000));
    });
    expect((await answering).refusal?.message).to.match(
      /disallowed by static policy[\s\S]*not finished within 9 s/,
    );
  });

  it('asks no registry and no Secret again for what it judged before', async () => {
    let calls = 0;
    const counted = new Proxy(store, {
      get: (target, name) => {
        calls += 1;
        const method = Reflect.get(target, name) as unknown;
        return typeof method === 'function' ? (method.bind(target) as unknown) : method;
      },
    });
    const door = await open({ store: counted });
    const pod = requestOf(podOf([refOf(signed), refOf(unsigned)]));
    await door.validate(pod);
    const before = calls;
    await door.validate(pod);
    expect([before > 0, calls - before]).to.deep.equal([true, 0]);
  });

  it('notices a new signature after ten seconds, and a new version of a policy at once', async () => {
    const image = await pushTestImage(store, 'signed later');
    const door = await open();
    const pod = requestOf(podOf([refOf(image)]));
    const isAllowed = async (): Promise<boolean> => (await door.validate(pod)).allowed;
    expect(await isAllowed()).to.equal(false);
    await attachSignature(store, image, key);
    expect(await isAllowed()).to.equal(false);
    await door.clock.advance(10_001);
    expect(await isAllowed()).to.equal(true);
    await putPolicy(door.register, { authorities: [forbidding] }, '2');
    expect(await isAllowed()).to.equal(false);
  });

  it('refuses everything until all policies are known', async () => {
    const { refusal } = await (
      await open({ isIncomplete: true })
    ).validate(requestOf(podOf([refOf(signed)])));
    expect(refusal?.code).to.equal(503);
    expect(refusal?.message).to.match(/^nothing was verified: the webhook does not know all policies yet/);
  });

  it('admits what brings no image without knowing any policy', async () => {
    const door = await open({ isIncomplete: true });
    const pod = podOf([refOf(signed)]);
    expect((await door.validate(requestOf(pod, { oldObject: pod }))).allowed).to.equal(true);
  });

  it('refuses an object with more different images than are judged', async () => {
    const images = Array.from({ length: 129 }, (_, index) => `registry.example/app${index}`);
    const { refusal } = await (
      await open({ policies: [{ authorities: [allowing] }] })
    ).validate(requestOf(podOf(images)));
    expect(refusal?.message).to.include('129 different images');
  });

  it('explains eight images and counts the rest, within 6 KiB', async () => {
    const images = Array.from(
      { length: 30 },
      (_, index) => `registry.example/${'x'.repeat(200)}${index}@${unsigned.digest}`,
    );
    const long = { static: { action: 'fail', message: 'y'.repeat(2000) } };
    const { refusal } = await (
      await open({ policies: [{ authorities: [long] }] })
    ).validate(requestOf(podOf(images)));
    expect(Buffer.byteLength(refusal?.message ?? '')).to.be.at.most(6144);
    expect(refusal?.message).to.match(/\nand 22 more images$/);
  });
});
