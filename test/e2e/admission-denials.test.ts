import { expect } from 'chai';
import type { AdmissionScene } from '../support/admission-scene.ts';
import { openAdmissionScene } from '../support/admission-scene.ts';
import { evidenceTag } from '../support/attached-evidence.ts';
import type { MakeOptions } from '../support/evidence-maker.ts';
import { hangExpiredSignature } from '../support/expired-evidence.ts';
import { forgeAttestation, forgeBundle, moveEvidence } from '../support/forgery.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { keylessOf, readRunbookPolicy } from '../support/runbook-policy.ts';

describe('what the runbook’s policy keeps out at the API server', () => {
  let scene: AdmissionScene;

  before(async () => {
    scene = await openAdmissionScene('denials');
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const refusalOf = async ({ ref }: PushedImage): Promise<string> => {
    const { refusal } = await scene.createPod(ref);
    expect(refusal?.status).to.equal(403);
    const message = refusal?.message ?? '';
    expect(message).to.include(scene.policy).and.include(ref).and.include('spec.containers[0].image');
    expect(message).to.match(/ Next: \S/);
    return message;
  };

  const incomplete: readonly (readonly [string, MakeOptions, readonly string[]])[] = [
    ['a signature only', { kinds: ['signature'] }, ['slsa-provenance missing', 'sbom-cyclonedx missing']],
    ['no signature', { kinds: ['provenance', 'sbom'] }, ['signature missing']],
    ['no provenance', { kinds: ['signature', 'sbom'], layout: 'referrer' }, ['slsa-provenance missing']],
    ['no SBOM', { kinds: ['signature', 'provenance'] }, ['sbom-cyclonedx missing']],
  ];
  for (const [what, options, failing] of incomplete) {
    it(`is an image with ${what}, and the missing checks are named`, async () => {
      const message = await refusalOf(await scene.made(options));
      const named = message.match(/[\w-]+ (?:missing|invalid)(?= \(|;|$)/g) ?? [];
      expect([...new Set(named)]).to.deep.equal(failing);
    });
  }

  it('is an image with provenance of another builder, with path and both values', async () => {
    const message = await refusalOf(await scene.made({ builderId: 'https://somebody.example/builder' }));
    expect(message)
      .to.include('slsa-provenance invalid')
      .and.include('predicate.builder.id')
      .and.include('https://tekton.golems.internal/chains/')
      .and.include('https://somebody.example/builder');
  });

  it('is an image that somebody else signed, with the expected and the found identity', async () => {
    const account = { namespace: scene.enforced, name: 'default' };
    const message = await refusalOf(await scene.made({ account }));
    expect(message)
      .to.include('signature invalid')
      .and.include('serviceaccounts/default')
      .and.include('serviceaccounts/tekton-chains-controller');
  });

  it('is an image signed by the word of another issuer, with the expected and the found one', async () => {
    const image = await pushImage(scene.registry, `${scene.repository}/issuer`);
    await scene.maker.make(image.ref, { kinds: ['signature'] });
    const policy = await readRunbookPolicy();
    policy.metadata.name = `issuer-${scene.enforced}`;
    policy.spec.images = [{ glob: `${image.repository}@**` }];
    keylessOf(policy.spec.authorities[0]!).identities[0]!.issuer = 'https://issuer.example';
    await scene.applyPolicy(policy);
    const message = await refusalOf(image);
    expect(message)
      .to.include(policy.metadata.name)
      .and.include('https://issuer.example')
      .and.include('https://kubernetes.golems.internal');
  });

  it('is an image whose attestation was changed after it was signed', async () => {
    const image = await scene.built('tampered');
    await forgeAttestation(scene.registry, image, evidenceTag(image.digest, 'att'));
    await forgeBundle(scene.registry, image);
    const message = await refusalOf(image);
    expect(message)
      .to.include('slsa-provenance invalid')
      .and.match(/signature (?:does|is)|verif/i);
  });

  it('is an image that wears the evidence of another one', async () => {
    const image = await scene.built('worn');
    const other = await scene.push();
    await moveEvidence(scene.registry, image, other);
    const message = await refusalOf(other);
    expect(message).to.include('signature invalid').and.include('about another image');
  });

  it('is an image signed with a certificate that is long over, which no log saw', async () => {
    const image = await pushImage(scene.registry, `${scene.repository}/expired`);
    await hangExpiredSignature(scene.registry, image);
    // Without a timestamp of the certificate log, its time is the only thing that is wrong with it.
    const policy = await readRunbookPolicy();
    policy.metadata.name = `expired-${scene.enforced}`;
    policy.spec.images = [{ glob: `${image.repository}@**` }];
    const [authority] = policy.spec.authorities;
    policy.spec.authorities = [
      { ...authority!, attestations: [], keyless: { ...keylessOf(authority!), insecureIgnoreSCT: true } },
    ];
    await scene.applyPolicy(policy);
    const message = await refusalOf(image);
    expect(message)
      .to.include(policy.metadata.name)
      .and.match(/log|witness/i)
      .and.include('signature invalid');
    expect(message).to.match(/expired|no entry|not logged|log entry/i);
  });
});
