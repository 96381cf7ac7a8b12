import { expect } from 'chai';
import { evidenceTag } from '../../support/attached-evidence.ts';
import { forgeAttestation, forgeBundle, moveEvidence } from '../../support/forgery.ts';
import { pushImage } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { pipelineIdentity } from '../../support/judges.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../../support/task-runs.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import type { MakeOptions } from '../../support/evidence-maker.ts';
import { keylessOf } from '../../support/runbook-policy.ts';
import { checksOf, judgeByRunbook } from './policy-bench.ts';

const allPassed = ['signature passed', 'slsa-provenance passed', 'sbom-cyclonedx passed'];

describe("the runbook's policy", () => {
  let scene: Scene;
  let maker: EvidenceMaker;
  let namespace: string;

  before(async () => {
    scene = await openScene();
    maker = new EvidenceMaker(scene.stack, scene.judges);
    namespace = await scene.namespace('policy');
    await scene.controller([namespace]);
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const push = (): Promise<PushedImage> => pushImage(scene.registry, `${scene.stack.registry}/policy`);
  const built = async (name: string): Promise<PushedImage> => {
    const image = await push();
    await createCompletedRun(scene.api, { namespace, name, results: imageResults(image) });
    await waitUntilSigned(scene.api, { namespace, name });
    return image;
  };
  const made = async (options: MakeOptions): Promise<PushedImage> => {
    const image = await push();
    await maker.make(image.ref, options);
    return image;
  };

  it('admits an image that our controller attested, by either layout alone and by both', async () => {
    const { ref } = await built('attested');
    for (const format of [undefined, 'legacy', 'bundle']) {
      const judgement = await judgeByRunbook(ref, ({ spec }) => {
        if (format !== undefined) spec.authorities[0]!.signatureFormat = format;
      });
      expect(checksOf(judgement), judgement.message).to.deep.equal(allPassed);
      expect(judgement).to.deep.include({ outcome: 'admitted', message: '' });
      const evidence = judgement.policies[0]!.authorities[0]!.checks[0]!.evidence;
      expect(evidence).to.have.length(format === undefined ? 2 : 1);
      expect(evidence[0]!.signer).to.include({ subject: pipelineIdentity, issuer: scene.stack.issuer });
      expect(evidence[0]!.logEntries).to.have.length(1);
    }
  });

  for (const layout of ['tag', 'referrer'] as const) {
    it(`admits an image whose evidence the real cosign wrote as ${layout}`, async () => {
      const judgement = await judgeByRunbook((await made({ layout })).ref);
      expect(checksOf(judgement), judgement.message).to.deep.equal(allPassed);
    });
  }

  it('denies an unsigned image, names every check as missing, and says what to do', async () => {
    const { ref } = await push();
    const judgement = await judgeByRunbook(ref);
    expect(checksOf(judgement)).to.deep.equal([
      'signature missing',
      'slsa-provenance missing',
      'sbom-cyclonedx missing',
    ]);
    expect(judgement.outcome).to.equal('denied');
    expect(judgement.message)
      .to.match(/^failed policy: golemtrust-production-policy: /)
      .and.include(`${ref}: authority pipeline-signature: signature missing`)
      .and.match(/ Next: .*build the image by the pipeline/);
  });

  const incomplete: readonly (readonly [string, MakeOptions, readonly string[]])[] = [
    ['a signature only', { kinds: ['signature'] }, ['slsa-provenance missing', 'sbom-cyclonedx missing']],
    ['no signature', { kinds: ['provenance', 'sbom'] }, ['signature missing']],
    ['no provenance', { kinds: ['signature', 'sbom'] }, ['slsa-provenance missing']],
    ['no SBOM', { kinds: ['signature', 'provenance'], layout: 'referrer' }, ['sbom-cyclonedx missing']],
  ];
  for (const [what, options, failing] of incomplete) {
    it(`denies an image with ${what}`, async () => {
      const judgement = await judgeByRunbook((await made(options)).ref);
      expect(checksOf(judgement).filter((check) => !check.endsWith('passed'))).to.deep.equal(failing);
      expect(judgement.outcome).to.equal('denied');
      for (const check of failing) expect(judgement.message).to.include(check);
    });
  }

  it('passes an image without signature in permissive mode, as policy-controller does', async () => {
    const { ref } = await made({ kinds: ['provenance', 'sbom'] });
    const judgement = await judgeByRunbook(ref, ({ metadata }) => {
      metadata.annotations = { 'policy.chainwright.dev/evaluation': 'permissive' };
    });
    expect(checksOf(judgement)).to.deep.equal(['slsa-provenance passed', 'sbom-cyclonedx passed']);
    expect(judgement.outcome).to.equal('admitted');
  });

  it('denies provenance of another builder, with path and both values', async () => {
    const { ref } = await made({ builderId: 'https://somebody.example/builder' });
    const judgement = await judgeByRunbook(ref);
    expect(checksOf(judgement)).to.include('slsa-provenance invalid').and.include('signature passed');
    expect(judgement.message)
      .to.include('predicate.builder.id')
      .and.include('https://tekton.golems.internal/chains/')
      .and.include('https://somebody.example/builder');
  });

  it('denies evidence of another identity, with the expected and the found one', async () => {
    const { ref } = await made({ account: { namespace, name: 'default' } });
    const judgement = await judgeByRunbook(ref);
    expect(checksOf(judgement)).to.deep.equal([
      'signature invalid',
      'slsa-provenance invalid',
      'sbom-cyclonedx invalid',
    ]);
    expect(judgement.message)
      .to.include('serviceaccounts/default')
      .and.include('serviceaccounts/tekton-chains-controller')
      .and.include('Somebody else signed it');
  });

  it('denies evidence of another issuer, with the expected and the found one', async () => {
    const { ref } = await made({});
    const { outcome, message } = await judgeByRunbook(ref, ({ spec }) => {
      keylessOf(spec.authorities[0]!).identities[0]!.issuer = 'https://issuer.example';
    });
    expect(outcome).to.equal('denied');
    expect(message).to.include('https://issuer.example').and.include('https://kubernetes.golems.internal');
  });

  it('denies an attestation that was changed after it was signed', async () => {
    const image = await built('tampered');
    await forgeAttestation(scene.registry, image, evidenceTag(image.digest, 'att'));
    await forgeBundle(scene.registry, image);
    const judgement = await judgeByRunbook(image.ref);
    expect(judgement.outcome).to.equal('denied');
    expect(checksOf(judgement)).to.include('slsa-provenance invalid');
    const codes = judgement.policies[0]!.authorities[0]!.checks.flatMap(({ reasons }) =>
      reasons.map(({ code }) => code),
    );
    expect(codes).to.include('ERR_VERIFY_SIGNATURE');
  });

  it('denies an image that wears the evidence of another one', async () => {
    const image = await built('moved');
    const other = await pushImage(scene.registry, image.repository);
    await moveEvidence(scene.registry, image, other);
    const judgement = await judgeByRunbook(other.ref);
    expect(checksOf(judgement)).to.deep.equal([
      'signature invalid',
      'slsa-provenance invalid',
      'sbom-cyclonedx invalid',
    ]);
    expect(judgement.message).to.include('about another image');
  });

  it('fails with a passing fault where the registry cannot be reached, instead of judging', async () => {
    const image = `harbor.golems.internal:1/golem-trust/policy@${(await push()).digest}`;
    let thrown: unknown;
    await judgeByRunbook(image).catch((error: unknown) => (thrown = error));
    expect(thrown).to.include({ code: 'ERR_REGISTRY_UNREACHABLE', kind: 'passing' });
  });
});
