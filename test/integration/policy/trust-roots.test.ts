import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { parseTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import type { TrustRootSpec } from '../../../src/policy/policy-schema.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import { pushImage } from '../../support/images.ts';
import { keylessOf } from '../../support/runbook-policy.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { trustRootObject } from '../../support/trust-root.ts';
import { TestTufRepository, startTestMirror } from '../../support/tuf-repository.ts';
import { checksOf, judgeByRunbook } from './policy-bench.ts';

const allPassed = ['signature passed', 'slsa-provenance passed', 'sbom-cyclonedx passed'];
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

describe('a policy that names a TrustRoot', () => {
  let scene: Scene;
  let trustedRoot: Buffer;
  const images: string[] = [];

  before(async () => {
    scene = await openScene();
    const { stack, judges, registry } = scene;
    trustedRoot = await readFile(stack.trustedRoot);
    const maker = new EvidenceMaker(stack, judges);
    for (const options of [
      { layout: 'tag' },
      { layout: 'referrer' },
      { layout: 'referrer', log: 'rekor2' },
    ] as const) {
      const { ref } = await pushImage(registry, `${stack.registry}/policy`);
      await maker.make(ref, options);
      images.push(ref);
    }
  });

  after(() => scene[Symbol.asyncDispose]());

  const file = (name: string): Promise<Buffer> => readFile(scene.stack.env[name] ?? '');
  /** What all images get under a TrustRoot of that spec. */
  const judgeUnder = async (spec: object): Promise<readonly (readonly string[])[]> => {
    const trustRoot = parseTrustRootObject({
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'TrustRoot',
      metadata: { name: 'golems' },
      spec,
    });
    const judged: (readonly string[])[] = [];
    for (const image of images) {
      const judgement = await judgeByRunbook(
        image,
        ({ spec: { authorities } }) => {
          for (const authority of authorities) keylessOf(authority).trustRootRef = 'golems';
        },
        trustRoot,
      );
      judged.push(checksOf(judgement));
    }
    return judged;
  };
  it('admits by the keys in the object, of both kinds of logs', async () => {
    const { spec } = await trustRootObject(scene.stack, 'golems');
    expect(await judgeUnder(spec as object)).to.deep.equal(images.map(() => allPassed));
  });

  it('denies what a log recorded whose key is another', async () => {
    const { spec } = (await trustRootObject(scene.stack, 'golems')) as unknown as { spec: TrustRootSpec };
    const { tLogs = [], ctLogs = [] } = spec.sigstoreKeys ?? {};
    const publicKey = ctLogs[0]?.publicKey ?? '';
    const strange = {
      sigstoreKeys: { ...spec.sigstoreKeys, tLogs: tLogs.map((log) => ({ ...log, publicKey })) },
    };
    const [byTag] = await judgeUnder(strange);
    expect(byTag?.filter((check) => check.endsWith('passed'))).to.deep.equal([]);
  });

  it('admits by a TUF repository in the object', async () => {
    const repository = new TestTufRepository().publish({
      targets: { 'trusted_root.json': { bytes: trustedRoot } },
    });
    const spec = {
      repository: { root: base64(repository.root), mirrorFS: base64(await repository.archive()) },
    };
    expect(await judgeUnder(spec)).to.deep.equal(images.map(() => allPassed));
  });

  it('admits by a TUF repository on a mirror that tells keys by their usage', async () => {
    const usage = (name: string, uri: string): object => ({
      sigstore: { usage: name, status: 'Active', uri },
    });
    const { stack } = scene;
    const repository = new TestTufRepository().publish({
      targets: {
        'fulcio.pem': { bytes: await file('STACK_FULCIO_ROOT'), custom: usage('Fulcio', stack.fulcioUrl) },
        'ctfe.pem': { bytes: await file('STACK_CTLOG_PUBLIC_KEY'), custom: usage('CTFE', '') },
        'rekor.pem': { bytes: await file('STACK_REKOR_PUBLIC_KEY'), custom: usage('Rekor', stack.rekorUrl) },
        'rekor2.pem': {
          bytes: await file('STACK_REKOR2_PUBLIC_KEY'),
          custom: usage('Rekor', stack.rekor2Url),
        },
        'tsa.pem': { bytes: await file('STACK_TSA_CHAIN'), custom: usage('TSA', stack.tsaUrl) },
      },
    });
    await using mirror = await startTestMirror(repository.files);
    const spec = { remote: { root: base64(repository.root), mirror: mirror.url } };
    expect(await judgeUnder(spec)).to.deep.equal(images.map(() => allPassed));
  });
});
