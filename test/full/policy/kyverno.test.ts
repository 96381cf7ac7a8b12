import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { CosignLayout } from '../../support/cosign-signer.ts';
import { EvidenceMaker } from '../../support/evidence-maker.ts';
import type { MakeOptions } from '../../support/evidence-maker.ts';
import { hangExpiredSignature } from '../../support/expired-evidence.ts';
import { pushImage, pushIndex } from '../../support/images.ts';
import type { PushedImage } from '../../support/images.ts';
import { KyvernoComparison } from '../../support/kyverno-comparison.ts';
import type { ComparedCase, Compared } from '../../support/kyverno-comparison.ts';
import { openScene } from '../../support/scene.ts';
import type { Scene } from '../../support/scene.ts';

const issuer = 'https://kubernetes.golems.internal';
const subjectRegExp = `${issuer}/namespaces/tekton-chains/serviceaccounts/tekton-chains-controller`;
const slsa = 'https://slsa.dev/provenance/v0.2';

/** An image, by what lies beside it; made once. */
type Evidence =
  | { readonly make: MakeOptions; readonly on?: 'harbor' | 'referrers' }
  | 'nothing'
  | 'expired'
  | 'index'
  | 'two-provenances';

describe('exported policies in the real engine of Kyverno, beside our own judge', () => {
  let scene: Scene;
  let maker: EvidenceMaker;
  let comparison: KyvernoComparison;
  let folder: string;
  let publicKey: string;
  let otherKey: string;
  const images = new Map<string, Promise<PushedImage>>();
  const compared: Compared[] = [];

  before(async () => {
    scene = await openScene();
    maker = new EvidenceMaker(scene.stack, scene.judges);
    comparison = await KyvernoComparison.open(scene.stack);
    folder = await mkdtemp(join(tmpdir(), 'chainwright-kyverno-keys-'));
    for (const name of ['lab', 'other']) {
      const prefix = join(folder, name);
      const made = await scene.judges.cosign(['generate-key-pair', '--output-key-prefix', prefix], {
        COSIGN_PASSWORD: 'lab',
      });
      expect(made.code, made.stderr).to.equal(0);
    }
    publicKey = await readFile(join(folder, 'lab.pub'), 'utf8');
    otherKey = await readFile(join(folder, 'other.pub'), 'utf8');
  }).timeout(1_800_000);

  after(async () => {
    console.log(comparison.table(compared));
    await comparison[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
    await scene[Symbol.asyncDispose]();
  });

  const somebodyElse = { namespace: 'default', name: 'default' } as const;
  const key = (): string => join(folder, 'lab.key');

  async function build(evidence: Evidence): Promise<PushedImage> {
    const { stack, registry } = scene;
    const where =
      typeof evidence === 'object' && evidence.on === 'referrers' ? stack.registryReferrers : stack.registry;
    const repository = `${where}/kyverno`;
    if (evidence === 'index') {
      const index = await pushIndex(registry, repository);
      await maker.make(index.ref, { layout: 'referrer' });
      return index;
    }
    const image = await pushImage(registry, repository);
    if (evidence === 'expired') await hangExpiredSignature(registry, image);
    if (evidence === 'two-provenances') {
      await maker.make(image.ref, { layout: 'referrer' });
      await maker.make(image.ref, {
        layout: 'referrer',
        kinds: ['provenance'],
        builderId: 'https://elsewhere.example',
      });
    }
    if (typeof evidence === 'object') await maker.make(image.ref, evidence.make);
    return image;
  }

  function imageWith(evidence: Evidence): Promise<PushedImage> {
    const name = JSON.stringify(evidence);
    const made = images.get(name) ?? build(evidence);
    images.set(name, made);
    return made;
  }

  const full = (layout: CosignLayout): Evidence => ({ make: { layout } });
  const byKey = (layout: CosignLayout, log: 'rekor' | 'none', kinds?: MakeOptions['kinds']): Evidence => ({
    make: { layout, key: key(), log, ...(kinds === undefined ? {} : { kinds }) },
  });
  const only = (layout: CosignLayout, ...kinds: NonNullable<MakeOptions['kinds']>): Evidence => ({
    make: { layout, kinds },
  });

  const keyless = { keyless: { identities: [{ issuer, subjectRegExp }] } };
  const cue = (data: string): object => ({ policy: { type: 'cue', data } });
  const builder = 'predicate: builder: id: =~"https://tekton.golems.internal/chains/"';
  const provenance = (data?: string): object => ({
    name: 'provenance',
    predicateType: slsa,
    ...(data === undefined ? {} : cue(data)),
  });
  const sbom = { name: 'sbom', predicateType: 'cyclonedx' };
  const runbook = { name: 'pipeline', ...keyless, attestations: [provenance(builder), sbom] };
  const signed = { name: 'pipeline', ...keyless };
  const attested = (data: string): object => ({ ...signed, attestations: [provenance(data)] });

  interface Pair extends Omit<ComparedCase, 'image' | 'policies' | 'name'> {
    readonly evidence: () => Evidence;
    readonly authorities: () => readonly object[];
    readonly spec?: object;
    readonly annotations?: Readonly<Record<string, string>>;
    /** Of further policies. */
    readonly others?: readonly object[];
    /** Limitations by one of which Kyverno may deny although we admit; none: both have to say the same. */
    readonly stricterBy?: readonly string[];
  }

  const pairs: Readonly<Record<string, Pair>> = {
    'runbook, tags': { evidence: () => full('tag'), authorities: () => [runbook] },
    'runbook, bundles': { evidence: () => full('referrer'), authorities: () => [runbook] },
    'runbook, bundles in the registry with referrers': {
      evidence: () => ({ make: { layout: 'referrer' }, on: 'referrers' }),
      authorities: () => [runbook],
    },
    'runbook, tags in the registry with referrers': {
      evidence: () => ({ make: { layout: 'tag' }, on: 'referrers' }),
      authorities: () => [runbook],
    },
    'runbook, nothing': { evidence: () => 'nothing', authorities: () => [runbook] },
    'runbook, no image signature, bundles': {
      evidence: () => only('referrer', 'provenance', 'sbom'),
      authorities: () => [runbook],
    },
    'runbook, no image signature, tags': {
      evidence: () => only('tag', 'provenance', 'sbom'),
      authorities: () => [runbook],
    },
    'runbook, no SBOM, tags': {
      evidence: () => only('tag', 'signature', 'provenance'),
      authorities: () => [runbook],
    },
    'runbook, no SBOM, bundles': {
      evidence: () => only('referrer', 'signature', 'provenance'),
      authorities: () => [runbook],
    },
    'runbook, no provenance': {
      evidence: () => only('referrer', 'signature', 'sbom'),
      authorities: () => [runbook],
    },
    'runbook, another builder': {
      evidence: () => ({ make: { layout: 'referrer', builderId: 'https://elsewhere.example/' } }),
      authorities: () => [runbook],
    },
    'runbook, another builder, tags': {
      evidence: () => ({ make: { layout: 'tag', builderId: 'https://elsewhere.example/' } }),
      authorities: () => [runbook],
    },
    'runbook, another identity, tags': {
      evidence: () => ({ make: { layout: 'tag', account: somebodyElse } }),
      authorities: () => [runbook],
    },
    'runbook, another identity, bundles': {
      evidence: () => ({ make: { layout: 'referrer', account: somebodyElse } }),
      authorities: () => [runbook],
    },
    'runbook, by key instead of keyless': {
      evidence: () => byKey('referrer', 'rekor'),
      authorities: () => [runbook],
    },
    'runbook, permissive, no image signature': {
      evidence: () => only('referrer', 'provenance', 'sbom'),
      authorities: () => [runbook],
      annotations: { 'policy.chainwright.dev/evaluation': 'permissive' },
      stricterBy: ['permissive'],
    },
    'signature alone, tags': { evidence: () => only('tag', 'signature'), authorities: () => [signed] },
    'signature alone, bundles': {
      evidence: () => only('referrer', 'signature'),
      authorities: () => [signed],
    },
    'signature wanted, an attestation there, bundles': {
      evidence: () => only('referrer', 'sbom'),
      authorities: () => [signed],
    },
    'signature wanted, an attestation there, tags': {
      evidence: () => only('tag', 'sbom'),
      authorities: () => [signed],
    },
    'signature of an expired certificate': { evidence: () => 'expired', authorities: () => [signed] },
    'signature at tags, bundles wanted': {
      evidence: () => full('tag'),
      authorities: () => [{ ...runbook, signatureFormat: 'bundle' }],
    },
    'bundles wanted and there': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...runbook, signatureFormat: 'bundle' }],
    },
    'tags wanted, bundles there': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...runbook, signatureFormat: 'legacy' }],
    },
    'tags wanted and there': {
      evidence: () => full('tag'),
      authorities: () => [{ ...runbook, signatureFormat: 'legacy' }],
    },
    'two identities, the second one signed, bundles': {
      evidence: () => full('referrer'),
      authorities: () => [
        {
          ...runbook,
          keyless: {
            identities: [
              { issuer, subject: 'nobody' },
              { issuerRegExp: 'golems', subjectRegExp: 'chains-controller$' },
            ],
          },
        },
      ],
    },
    'two identities, the second one signed, tags': {
      evidence: () => full('tag'),
      authorities: () => [
        {
          ...runbook,
          keyless: {
            identities: [
              { issuer, subject: 'nobody' },
              { issuerRegExp: 'golems', subjectRegExp: 'chains-controller$' },
            ],
          },
        },
      ],
    },
    'an expression that is anchored elsewhere': {
      evidence: () => full('referrer'),
      authorities: () => [
        { ...runbook, keyless: { identities: [{ issuer, subjectRegExp: '^tekton-chains$' }] } },
      ],
    },
    'second authority vouches': {
      evidence: () => full('referrer'),
      authorities: () => [{ name: 'other', key: { data: otherKey } }, runbook],
    },
    'no authority vouches': {
      evidence: () => full('referrer'),
      authorities: () => [
        { name: 'other', key: { data: otherKey } },
        { ...runbook, keyless: { identities: [{ issuer, subject: 'nobody' }] } },
      ],
    },
    'halves of two authorities': {
      evidence: () => only('referrer', 'signature', 'provenance'),
      authorities: () => [
        { name: 'other', key: { data: otherKey }, attestations: [provenance()] },
        { ...signed, attestations: [sbom] },
      ],
    },
    'key, bundles without a log': {
      evidence: () => byKey('referrer', 'none'),
      authorities: () => [
        { name: 'team', key: { data: publicKey }, attestations: [provenance(builder), sbom] },
      ],
    },
    'key, tags without a log': {
      evidence: () => byKey('tag', 'none'),
      authorities: () => [
        { name: 'team', key: { data: publicKey }, attestations: [provenance(builder), sbom] },
      ],
      stricterBy: ['signature-bundles', 'attestation-bundles'],
    },
    'key, bundles, attestations but no signature': {
      evidence: () => byKey('referrer', 'none', ['provenance', 'sbom']),
      authorities: () => [{ name: 'team', key: { data: publicKey } }],
    },
    'key, another one': {
      evidence: () => byKey('referrer', 'none'),
      authorities: () => [{ name: 'team', key: { data: otherKey } }],
    },
    'key with a log, bundles': {
      evidence: () => byKey('referrer', 'rekor'),
      authorities: () => [{ name: 'team', key: { data: publicKey }, ctlog: { url: scene.stack.rekorUrl } }],
    },
    'key with a log that saw nothing': {
      evidence: () => byKey('referrer', 'none'),
      authorities: () => [{ name: 'team', key: { data: publicKey }, ctlog: { url: scene.stack.rekorUrl } }],
    },
    'Rekor v2 and a timestamp': {
      evidence: () => ({ make: { layout: 'referrer', log: 'rekor2' } }),
      authorities: () => [runbook],
    },
    'a timestamp wanted, Rekor v2': {
      evidence: () => ({ make: { layout: 'referrer', log: 'rekor2' } }),
      authorities: () => [{ ...runbook, rfc3161timestamp: {} }],
    },
    'a timestamp wanted, none there, tags': {
      evidence: () => full('tag'),
      authorities: () => [{ ...runbook, rfc3161timestamp: {} }],
    },
    'CUE: equal': {
      evidence: () => full('referrer'),
      authorities: () => [attested('predicate: buildType: "lab"')],
    },
    'CUE: equal, but otherwise': {
      evidence: () => full('referrer'),
      authorities: () => [attested('predicate: buildType: "shop"')],
    },
    'CUE: an absent field': {
      evidence: () => full('referrer'),
      authorities: () => [attested('predicate: metadata: reproducible: true')],
    },
    'CUE: an absent field that may be': {
      evidence: () => full('tag'),
      authorities: () => [attested('predicate: metadata?: reproducible: true')],
    },
    'CUE: alternatives and lists': {
      evidence: () => full('referrer'),
      authorities: () => [
        attested('predicate: {buildType: "shop" | =~"^l", materials: [...{uri: string}], invocation: {}}'),
      ],
    },
    'CUE: beyond translation': {
      evidence: () => full('referrer'),
      authorities: () => [attested('import "strings"\npredicate: buildType: strings.MinRunes(2)')],
      stricterBy: ['cue'],
    },
    'CUE: a number': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...signed, attestations: [{ ...sbom, ...cue('predicate: version: 1') }] }],
      stricterBy: ['cue-number'],
    },
    'CUE: a bound': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...signed, attestations: [{ ...sbom, ...cue('predicate: version: >0 & <2') }] }],
    },
    'CUE: a bound that is not kept': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...signed, attestations: [{ ...sbom, ...cue('predicate: version: >1') }] }],
    },
    'CUE: hostile text': {
      evidence: () => full('referrer'),
      authorities: () => [attested(String.raw`predicate: buildType: "\" || true || \"" | "lab\\"`)],
    },
    Rego: {
      evidence: () => full('referrer'),
      authorities: () => [
        {
          ...signed,
          attestations: [
            { ...sbom, policy: { type: 'rego', data: 'package sigstore\nisCompliant { true }' } },
          ],
        },
      ],
      stricterBy: ['rego'],
    },
    'of two provenances one complies': {
      evidence: () => 'two-provenances',
      authorities: () => [runbook],
      stricterBy: ['attestation-choice'],
    },
    'an image index': { evidence: () => 'index', authorities: () => [runbook], stricterBy: ['image-index'] },
    'static pass': {
      evidence: () => 'nothing',
      authorities: () => [{ name: 'all', static: { action: 'pass' } }],
    },
    'static fail': {
      evidence: () => full('referrer'),
      authorities: () => [{ name: 'none', static: { action: 'fail', message: 'no' } }],
    },
    'no policy is about it': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { images: [{ glob: 'registry.example/**' }] },
    },
    'a glob of one level': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { images: [{ glob: 'harbor.golems.internal/*' }] },
    },
    'two policies, one denies': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      others: [{ name: 'nobody', static: { action: 'fail' } }],
    },
    'two policies, both admit': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      others: [{ name: 'pipeline', ...keyless }],
    },
    'for Deployments only': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { match: [{ group: 'apps', version: 'v1', resource: 'deployments' }] },
    },
    'for Deployments, and it is one': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { match: [{ group: 'apps', version: 'v1', resource: 'deployments' }] },
      kind: 'Deployment',
    },
    'a Deployment without evidence': {
      evidence: () => 'nothing',
      authorities: () => [runbook],
      kind: 'Deployment',
    },
    'a CronJob with evidence': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      kind: 'CronJob',
    },
    'a warning': {
      evidence: () => 'nothing',
      authorities: () => [runbook],
      spec: { mode: 'warn' },
    },
    'a rule over all authorities, met': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: {
        policy: {
          type: 'cue',
          includeSpec: true,
          data: 'spec: containers: [...{name: "main"}]\nauthorityMatches: pipeline: _',
        },
      },
    },
    'a rule over all authorities, not met': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { policy: { type: 'cue', includeSpec: true, data: 'spec: hostNetwork: true' } },
    },
    'a rule over all authorities, beyond translation': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      spec: { policy: { type: 'cue', fetchConfigFile: true, data: 'config: "linux/amd64": os: "linux"' } },
      stricterBy: ['whole-policy'],
    },
    'an image volume': {
      evidence: () => full('referrer'),
      authorities: () => [runbook],
      withVolume: true,
      stricterBy: ['image-volumes'],
    },
    'evidence in another repository, none there': {
      evidence: () => full('referrer'),
      authorities: () => [{ ...runbook, source: [{ oci: `${scene.stack.registry}/elsewhere` }] }],
    },
  };

  for (const [
    name,
    { evidence, authorities, spec = {}, annotations = {}, others = [], stricterBy = [], ...more },
  ] of Object.entries(pairs)) {
    it(name, async () => {
      const image = await imageWith(evidence());
      const policyOf = (label: string, list: readonly object[]): object => ({
        apiVersion: 'policy.sigstore.dev/v1beta1',
        kind: 'ClusterImagePolicy',
        metadata: { name: label, annotations },
        spec: { images: [{ glob: `${image.repository}@*` }], authorities: list, ...spec },
      });
      const policies = [
        policyOf('first', authorities()),
        ...others.map((one, index) => policyOf(`other-${index}`, [one])),
      ];
      const result = await comparison.compare({ name, image: image.ref, policies, ...more });
      compared.push(result);
      const { ours, kyverno, limitations, text } = result;
      if (ours === 'denied') expect(kyverno, text).to.equal('denied');
      if (ours === kyverno) return;
      expect(kyverno, text).to.equal('denied');
      expect(
        limitations.filter((code) => stricterBy.includes(code)),
        `${text}\n${limitations.join(' ')}`,
      ).to.have.members(stricterBy);
      expect(stricterBy, text).not.to.deep.equal([]);
    }).timeout(180_000);
  }

  it('one image twice, another beside it, and a policy about each: Kyverno 1.19.1 hangs unless a policy selects all', async () => {
    const [image, other] = [await imageWith(full('referrer')), await imageWith(full('tag'))];
    const policies = [image, other].map(({ ref }, index) => ({
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name: `about-${index}` },
      spec: { images: [{ glob: ref }], authorities: [runbook] },
    }));
    const besides = [image.ref, other.ref];
    const result = await comparison.compare({
      name: 'two images, two policies',
      image: image.ref,
      besides,
      policies,
    });
    compared.push(result);
    expect([result.ours, result.kyverno], result.text).to.deep.equal(['admitted', 'admitted']);
  }).timeout(180_000);
});
