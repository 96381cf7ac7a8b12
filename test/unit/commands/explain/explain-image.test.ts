import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readClusterSource } from '../../../../src/commands/explain/explain-cluster.ts';
import { explainImage } from '../../../../src/commands/explain/explain-image.ts';
import { findTrustRoots } from '../../../../src/commands/explain/explain-policies.ts';
import type { ImageExplanation } from '../../../../src/commands/explain/explanation-report.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { formatRepository, parseRepository } from '../../../../src/model/image-reference.ts';
import type { PinnedImage } from '../../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../../src/model/oci.ts';
import { parseClusterImagePolicy } from '../../../../src/policy/cluster-image-policy.ts';
import type { SigningAuthority } from '../../../../src/policy/compiled-policy.ts';
import { attachmentTag } from '../../../../src/registry/attachments-by-tag.ts';
import type { ImageStore } from '../../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../../src/registry/oci-layout-store.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import type { TrustRoot } from '../../../../src/signing/trust-root.ts';
import { predicateTypes } from '../../../../src/statements/statement.ts';
import { systemClock } from '../../../../src/telemetry/system-clock.ts';
import { policyObject } from '../../policy/judging.ts';
import { attachAttestation, attachSignature, makeKey, pushTestImage } from '../../policy/key-evidence.ts';
import type { TestKey } from '../../policy/key-evidence.ts';
import { rejectionOf } from '../../registry/rejection.ts';
import { soon } from '../../registry/sample-images.ts';

const away = new AppError('ERR_KUBE_UNREACHABLE', 'the API server is away', { kind: 'passing' });
// With servers of one's own and no trust root nobody asks the public one.
const { settings } = resolveSettings({
  flags: {
    log: { url: 'https://rekor.example' },
    signer: { type: 'keyless', fulcio: { url: 'https://fulcio.example' } },
  },
});

describe('an image explained by policies', () => {
  let folder = '';
  let store: ImageStore;
  let ours: TestKey;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-explain-'));
    store = await openLayoutStore(folder, systemClock);
    ours = await makeKey();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const image = (): Promise<PinnedImage> => pushTestImage(store, `explained ${(count += 1)}`);
  const explain = async (
    { repository, digest }: PinnedImage,
    ...policies: readonly object[]
  ): Promise<ImageExplanation> => {
    await using closing = new AsyncDisposableStack();
    const source = {
      policies: policies.map((policy) => parseClusterImagePolicy(policy, 'tekton-chains')),
      references: {
        findNamedTrustRoot: () => undefined,
        findSecret: () => Promise.reject(away),
        findConfigMapEntry: () => Promise.reject(away),
      },
      noMatch: 'deny',
    } as const;
    const options = { settings, environment: {}, trustedRoot: undefined, store: `oci-layout:${folder}` };
    const name = `${formatRepository(repository)}@${digest}`;
    return await explainImage(name, { ...options, source, online: false, signal: soon(), closing });
  };
  const byKey = (authority: object = {}, spec: object = {}): object =>
    policyObject([{ key: { data: ours.pem }, ...authority }], spec);
  const placesOf = ({ evidence }: ImageExplanation): readonly string[] =>
    evidence.map(({ standing, place }) => `${standing} ${place}`);

  it('tells of what a policy accepted behind tags with its prefix', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const call = { signal: soon() };
    const stored = await store.getManifest(pinned.repository, attachmentTag(pinned.digest, 'sig'), call);
    const tag = attachmentTag(pinned.digest, 'sig', 'release-');
    const manifest = { bytes: stored!.bytes, mediaType: mediaTypes.ociManifest };
    await store.putManifest(pinned.repository, tag, manifest, call);
    const explanation = await explain(pinned, byKey({ source: [{ tagPrefix: 'release-' }] }));
    expect(explanation.judgement?.outcome).to.equal('admitted');
    expect(placesOf(explanation)).to.include(`accepted tag ${tag}`);
  });

  it('tells of builds that are attested in another repository, and where', async () => {
    const pinned = await image();
    const elsewhere = { repository: parseRepository('evidence.example/all'), digest: pinned.digest };
    const predicate = { builder: { id: 'https://builder' } };
    await attachSignature(store, elsewhere, ours);
    const predicateType = predicateTypes.slsaProvenanceV02;
    await attachAttestation(store, elsewhere, ours, { predicateType, predicate });
    const attestations = [{ name: 'p', predicateType: 'slsaprovenance' }];
    const policy = byKey({ attestations, source: [{ oci: 'evidence.example/all' }] });
    const explanation = await explain(pinned, policy);
    expect(explanation.builds.map(({ value }) => value.builderId)).to.deep.equal(['https://builder']);
    const places = (['sig', 'att'] as const).map(
      (kind) => `accepted tag ${attachmentTag(pinned.digest, kind)} in evidence.example/all`,
    );
    expect(placesOf(explanation)).to.deep.equal(places);
  });

  it('looks into eight places at most, and not into those of policies about other images', async () => {
    const pinned = await image();
    const sources = Array.from({ length: 9 }, (_, index) => ({ oci: `evidence.example/place-${index}` }));
    const many = policyObject(sources.map((source) => ({ key: { data: ours.pem }, source: [source] })));
    const other = byKey({ source: [{ oci: 'evidence.example/other' }] }, { images: [{ glob: 'other/**' }] });
    const { obstacles } = await explain(pinned, other, many);
    expect(obstacles).to.deep.equal(
      [7, 8].map((index) => `evidence.example/place-${index}: too many places were named`),
    );
  });

  it('a stranger’s signature over the very bytes that ours is over is not called accepted', async () => {
    const pinned = await image();
    const stranger = await makeKey();
    await attachSignature(store, pinned, ours);
    await attachSignature(store, pinned, stranger);
    const other = policyObject([{ key: { data: stranger.pem } }], { images: [{ glob: 'other/**' }] });
    const { evidence } = await explain(pinned, byKey(), other);
    expect(new Set(evidence.map(({ ref }) => ref))).to.have.property('size', 1);
    expect(evidence.map(({ standing }) => standing).sort()).to.deep.equal(['accepted', 'verified']);
  });

  it('what a policy about other images refers to may be away; of one that judges it that is told', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const authorities = [{ key: { secretRef: { name: 'gone' } } }];
    const { obstacles, judgement } = await explain(
      pinned,
      byKey(),
      policyObject(authorities, { images: [{ glob: 'other/**' }] }),
    );
    expect(judgement?.outcome).to.equal('admitted');
    expect(obstacles).to.deep.equal(['policy test, which is about other images: the API server is away']);
    expect(await rejectionOf(explain(pinned, policyObject(authorities)))).to.equal(away);
  });
});

describe('the trust roots that an image is explained by', () => {
  const named = { version: 'own' } as TrustRoot;
  const authority = { kind: 'keyless', demands: { trustRoot: named } } as unknown as SigningAuthority;
  const failing = (kind: 'passing' | 'permanent'): Parameters<typeof findTrustRoots>[0] => ({
    findTrustRoot: () => Promise.reject(new AppError('ERR_TRUST_ROOT_TUF', 'cannot be fetched', { kind })),
  });

  it('the default one and those of the policies', async () => {
    const byDefault = { version: 'default' } as TrustRoot;
    const references = { findTrustRoot: () => Promise.resolve(byDefault) };
    const found = await findTrustRoots(references, [authority, authority]);
    expect(found).to.deep.equal({ trustRoots: [byDefault, named], obstacles: [] });
  });

  it('without the default one where it is away and a policy has its own', async () => {
    expect(await findTrustRoots(failing('passing'), [authority])).to.deep.equal({
      trustRoots: [named],
      obstacles: ['the default trust root: cannot be fetched'],
    });
  });

  it('none where nothing else is left, or where the default one is wrong for good', async () => {
    const faults = await Promise.all([
      rejectionOf(findTrustRoots(failing('passing'), [])),
      rejectionOf(findTrustRoots(failing('permanent'), [authority])),
    ]);
    expect(faults.map(({ code }) => code)).to.deep.equal(['ERR_TRUST_ROOT_TUF', 'ERR_TRUST_ROOT_TUF']);
  });
});

describe('what a cluster explains by', () => {
  const notFound = new AppError('ERR_KUBE_NOT_FOUND', 'not found', { kind: 'permanent' });
  const config = {
    ...{ apiVersion: 'chainwright.dev/v1alpha1', kind: 'ChainwrightConfig', metadata: { name: 'default' } },
    spec: { trustedRoot: { trustRootRef: 'golems' }, webhook: { resolveTags: true } },
  };
  const clientWith = (object: KubeObject | undefined): Parameters<typeof readClusterSource>[0] => ({
    list: () => Promise.resolve({ items: [], resourceVersion: '1' }),
    get: ({ plural }) =>
      plural === 'chainwrightconfigs' && object !== undefined
        ? Promise.resolve(object)
        : Promise.reject(notFound),
  });
  const rootOf = async (object: KubeObject | undefined, trustedRoot?: string): Promise<unknown> => {
    const options = { environment: {}, namespace: 'tekton-chains', config: undefined, trustedRoot };
    const read = await readClusterSource(clientWith(object), { ...options, signal: soon() });
    return read.settings.trustedRoot.trustRootRef;
  };

  it('the trust root that its settings name, for policies that name none', async () => {
    expect(await rootOf(config)).to.equal('golems');
    expect(await rootOf(undefined)).to.equal(undefined);
  });

  it('a trust root on the command line takes its place', async () => {
    expect(await rootOf(config, 'trusted_root.json')).to.equal(undefined);
  });
});
