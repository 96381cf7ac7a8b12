import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { AppError } from '../../../src/model/errors.ts';
import type { PinnedImage } from '../../../src/model/image-reference.ts';
import { appendAttachments, attachmentTag } from '../../../src/registry/attachments-by-tag.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { indexOf, soon } from '../registry/sample-images.ts';
import { judge, overlaid, policyObject } from './judging.ts';
import {
  attachAttestation,
  attachAttestationBundle,
  attachSignature,
  makeKey,
  pushTestImage,
} from './key-evidence.ts';
import type { TestKey } from './key-evidence.ts';

const sbom = { predicateType: 'https://cyclonedx.org/bom', predicate: { bomFormat: 'CycloneDX' } };
const wantsSbom = [{ name: 'sbom', predicateType: 'cyclonedx' }];

describe('judging an image', () => {
  let folder = '';
  let store: ImageStore;
  let ours: TestKey;
  let theirs: TestKey;
  let count = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-judge-'));
    store = await openLayoutStore(folder, systemClock);
    ours = await makeKey();
    theirs = await makeKey();
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const image = (): Promise<PinnedImage> => pushTestImage(store, `image ${(count += 1)}`);
  const byKey = ({ pem }: TestKey, more: object = {}): object => ({ key: { data: pem }, ...more });
  const outcomes = ({ policies }: Awaited<ReturnType<typeof judge>>): readonly string[] =>
    policies.flatMap(({ authorities }) =>
      authorities.flatMap(({ authority, checks }) =>
        checks.map(({ check, outcome }) => `${authority} ${check} ${outcome}`),
      ),
    );

  it('denies an image that no policy is about, warns of it or admits it, as it is told', async () => {
    const pinned = await image();
    for (const [noMatch, outcome] of Object.entries({ deny: 'denied', warn: 'warned', allow: 'admitted' })) {
      const judgement = await judge(store, pinned, [], { noMatch: noMatch as 'deny' | 'warn' | 'allow' });
      expect(judgement.outcome).to.equal(outcome);
      expect(judgement.reasons.map(({ code }) => code)).to.deep.equal(
        noMatch === 'allow' ? [] : ['ERR_POLICY_NO_MATCH'],
      );
    }
  });

  it('asks for the image signature also beside attestations, unless the policy is permissive', async () => {
    const pinned = await image();
    await attachAttestation(store, pinned, ours, sbom);
    const strict = policyObject([byKey(ours, { attestations: wantsSbom })]);
    const denied = await judge(store, pinned, [strict]);
    expect(outcomes(denied)).to.deep.equal(['authority-0 signature missing', 'authority-0 sbom passed']);
    expect(denied.outcome).to.equal('denied');
    const annotations = { 'policy.chainwright.dev/evaluation': 'permissive' };
    const permissive = { ...strict, metadata: { name: 'test', annotations } };
    const admitted = await judge(store, pinned, [permissive]);
    expect(outcomes(admitted)).to.deep.equal(['authority-0 sbom passed']);
    expect(admitted.outcome).to.equal('admitted');
    await attachSignature(store, pinned, ours);
    expect((await judge(store, pinned, [strict])).outcome).to.equal('admitted');
  });

  it('takes one authority of several, and every policy that is about the image', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const either = policyObject([byKey(theirs), byKey(ours)]);
    expect((await judge(store, pinned, [either])).outcome).to.equal('admitted');
    const both = [policyObject([byKey(ours)]), policyObject([byKey(theirs)])];
    const { outcome, policies } = await judge(store, pinned, both);
    expect(outcome).to.equal('denied');
    expect(policies.map(({ passed }) => passed)).to.deep.equal([true, false]);
  });

  it('warns where only policies of mode warn fail', async () => {
    const pinned = await image();
    const warn = policyObject([byKey(ours)], { mode: 'warn' });
    expect((await judge(store, pinned, [warn])).outcome).to.equal('warned');
    expect((await judge(store, pinned, [warn, policyObject([byKey(ours)])])).outcome).to.equal('denied');
  });

  it('obeys static authorities, in the words of policy-controller, without looking for evidence', async () => {
    const pinned = await image();
    const asked = (): never => {
      throw new Error('asked');
    };
    const nowhere = overlaid(store, { getManifest: asked, listReferrers: asked });
    const rule = { action: 'fail', message: 'not today' };
    const denied = await judge(nowhere, pinned, [policyObject([{ static: rule }])]);
    expect(denied.policies[0]?.authorities[0]?.checks[0]?.reasons).to.deep.equal([
      { code: 'ERR_POLICY_STATIC', message: 'disallowed by static policy: not today' },
    ]);
    const passing = policyObject([{ static: { action: 'pass' } }]);
    expect((await judge(nowhere, pinned, [passing])).outcome).to.equal('admitted');
  });

  it('says of evidence by another key and of another image that it is invalid, and why', async () => {
    const [pinned, other] = [await image(), await image()];
    await attachSignature(store, pinned, theirs);
    await attachSignature(store, pinned, ours, other.digest);
    const { policies } = await judge(store, pinned, [policyObject([byKey(ours)])]);
    const [check] = policies[0]?.authorities[0]?.checks ?? [];
    expect(check?.outcome).to.equal('invalid');
    expect(check?.reasons.map(({ code }) => code).sort()).to.deep.equal([
      'ERR_VERIFY_SIGNATURE',
      'ERR_VERIFY_SUBJECT',
    ]);
  });

  it('takes no attestation of another type, and tells what is there', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    await attachAttestation(store, pinned, ours, { predicateType: 'https://example.com/other' });
    const policy = policyObject([byKey(ours, { attestations: wantsSbom })]);
    const { policies } = await judge(store, pinned, [policy]);
    const check = policies[0]?.authorities[0]?.checks[1];
    expect(check?.outcome).to.equal('missing');
    expect(check?.reasons[0]?.message).to.equal(
      'no attestation of type https://cyclonedx.org/bom; there are "https://example.com/other"',
    );
  });

  it('takes no attestation whose payload type is another, and no signature in its place', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    await attachAttestation(store, pinned, ours, { ...sbom, payloadType: 'text/plain' });
    const { outcome, policies } = await judge(store, pinned, [
      policyObject([byKey(ours, { attestations: wantsSbom })]),
    ]);
    expect(outcome).to.equal('denied');
    const messages = policies[0]?.authorities[0]?.checks[1]?.reasons.map(({ message }) => message).join();
    expect(messages).to.include('text/plain');
  });

  it('looks at the layout that the authority names, and at both without one', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    await attachAttestationBundle(store, pinned, ours, sbom);
    const judged = async (signatureFormat?: string): Promise<readonly string[]> => {
      const format = signatureFormat === undefined ? {} : { signatureFormat };
      const authority = byKey(ours, { ...format, attestations: wantsSbom });
      return outcomes(await judge(store, pinned, [policyObject([authority])]));
    };
    expect(await judged()).to.deep.equal(['authority-0 signature passed', 'authority-0 sbom passed']);
    expect(await judged('legacy')).to.deep.equal([
      'authority-0 signature passed',
      'authority-0 sbom missing',
    ]);
    expect(await judged('bundle')).to.deep.equal([
      'authority-0 signature missing',
      'authority-0 sbom passed',
    ]);
  });

  it('looks for evidence in the repository of source.oci', async () => {
    const pinned = await image();
    const repository = { registry: 'registry.example', path: 'team/signatures' };
    await attachSignature(store, { repository, digest: pinned.digest }, ours);
    const source = [{ oci: 'registry.example/team/signatures' }];
    expect((await judge(store, pinned, [policyObject([byKey(ours, { source })])])).outcome).to.equal(
      'admitted',
    );
  });

  it('evaluates the policy of an attestation on each of its type, and needs one that meets it', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    await attachAttestation(store, pinned, ours, { ...sbom, predicate: { version: 1 } });
    const attestations = [{ ...wantsSbom[0], policy: { type: 'cue', data: 'version two' } }];
    const rules = {
      'version two': (document: string) =>
        document.includes('"predicate":{"version":2}') ? [] : [`not two: ${document.slice(0, 9)}`],
    };
    const policy = policyObject([byKey(ours, { attestations })]);
    const denied = await judge(store, pinned, [policy], { rules });
    const check = denied.policies[0]?.authorities[0]?.checks[1];
    expect(check?.outcome).to.equal('invalid');
    expect(check?.reasons[0]).to.include({
      code: 'ERR_POLICY_UNMET',
      path: 'a.b',
      message: 'not two: {"_type":',
    });
    await attachAttestation(store, pinned, ours, { ...sbom, predicate: { version: 2 } });
    expect((await judge(store, pinned, [policy], { rules })).outcome).to.equal('admitted');
  });

  it('evaluates the policy of the whole over what the authorities found and parts of the object', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    await attachAttestation(store, pinned, ours, sbom);
    let seen: Record<string, unknown> = {};
    const rules = {
      whole: (document: string) => {
        seen = JSON.parse(document) as Record<string, unknown>;
        return ['no'];
      },
    };
    const authorities = [
      byKey(ours, { name: 'build', attestations: wantsSbom }),
      byKey(theirs, { name: 'other' }),
    ];
    const policy = { type: 'cue', data: 'whole', includeObjectMeta: true, includeTypeMeta: true };
    const { outcome, policies } = await judge(store, pinned, [policyObject(authorities, { policy })], {
      rules,
    });
    expect(outcome).to.equal('denied');
    expect(policies[0]?.reasons[0]?.code).to.equal('ERR_POLICY_UNMET');
    expect(seen).to.have.all.keys('authorityMatches', 'metadata', 'typemeta');
    expect(seen['authorityMatches']).to.have.all.keys('build');
    expect(seen).to.have.nested.property('authorityMatches.build.signatures[0].id').with.length(64);
    expect(seen).to.have.nested.property(
      'authorityMatches.build.attestations.sbom[0].predicateType',
      sbom.predicateType,
    );
  });

  it('takes the key of a Secret', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const policy = policyObject([{ key: { secretRef: { name: 'cosign' } } }]);
    const secrets = { cosign: ours.pem };
    expect((await judge(store, pinned, [policy], { secrets })).outcome).to.equal('admitted');
  });

  const broken: Readonly<Record<string, readonly [object, string]>> = {
    'a KMS key that is none': [{ key: { kms: 'gcpkms://a' } }, 'ERR_POLICY_REFERENCE'],
    'a Secret without a key': [{ key: { secretRef: { name: 'none' } } }, 'ERR_POLICY_REFERENCE'],
    'a trust root that is not there': [
      { keyless: { trustRootRef: 'none', identities: [{ issuer: 'a', subject: 'b' }] } },
      'ERR_POLICY_REFERENCE',
    ],
  };
  for (const [what, [authority, code]] of Object.entries(broken)) {
    it(`denies what a policy with ${what} is about, with ${code}`, async () => {
      const pinned = await image();
      await attachSignature(store, pinned, ours);
      const policies = [policyObject([authority]), policyObject([{ static: { action: 'pass' } }])];
      const judgement = await judge(store, pinned, policies, { noMatch: 'allow' });
      expect(judgement.outcome).to.equal('denied');
      expect(judgement.policies[0]?.reasons.map((reason) => reason.code)).to.deep.equal([code]);
    });
  }

  it('sees genuine bundles past a tag that holds something else, and tells of it if nothing is found', async () => {
    const pinned = await image();
    const foreign = indexOf([]);
    const tag = attachmentTag(pinned.digest, 'att');
    await store.putManifest(pinned.repository, tag, foreign, { signal: soon() });
    await attachSignature(store, pinned, ours);
    const policy = policyObject([byKey(ours, { attestations: wantsSbom })]);
    const { policies } = await judge(store, pinned, [policy]);
    const messages = policies[0]?.authorities[0]?.checks[1]?.reasons.map(({ message }) => message).join();
    expect(messages).to.include('holds an image index, not attachments');
    await attachAttestationBundle(store, pinned, ours, sbom);
    expect((await judge(store, pinned, [policy])).outcome).to.equal('admitted');
  });

  it('looks at the newest 64 pieces of a place, and tells that there are more', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const junk = Array.from({ length: 64 }, (_, index) => ({
      mediaType: 'text/plain',
      bytes: Buffer.from(`junk ${index}`),
      annotations: {},
    }));
    await appendAttachments(store, { target: pinned, kind: 'sig' }, junk, { signal: soon() });
    const { outcome, policies } = await judge(store, pinned, [policyObject([byKey(ours)])]);
    expect(outcome).to.equal('denied');
    const messages = policies[0]?.authorities[0]?.checks[0]?.reasons.map(({ message }) => message);
    expect(messages).to.include('1 older pieces were left out');
  });

  it('says of an image index that evidence of its platform images does not count for it', async () => {
    const { repository, digest } = await image();
    const platform = await store.headManifest(repository, digest, { signal: soon() });
    const index = indexOf([platform!]);
    const target = {
      repository,
      digest: await store.putManifest(repository, 'multi', index, { signal: soon() }),
    };
    await attachSignature(store, { repository, digest }, ours);
    const policy = policyObject([byKey(ours)]);
    const denied = await judge(store, target, [policy]);
    expect(denied.outcome).to.equal('denied');
    expect(denied.nextStep).to.include('The image is an index');
    await attachSignature(store, target, ours);
    expect((await judge(store, target, [policy])).outcome).to.equal('admitted');
  });

  it('reads each place once, however many authorities and policies there are', async () => {
    const pinned = await image();
    await attachSignature(store, pinned, ours);
    const asked: string[] = [];
    const counting = overlaid(store, {
      getManifest: (...args: Parameters<ImageStore['getManifest']>) => {
        asked.push(args[1]);
        return store.getManifest(...args);
      },
    });
    const policy = policyObject([byKey(ours), byKey(theirs)]);
    await judge(counting, pinned, [policy, policy]);
    expect(asked.sort()).to.deep.equal([
      attachmentTag(pinned.digest, 'att'),
      attachmentTag(pinned.digest, 'sig'),
    ]);
  });

  it('throws a passing fault of the registry instead of judging without evidence', async () => {
    const pinned = await image();
    const fault = new AppError('ERR_REGISTRY_UNREACHABLE', 'away', { kind: 'passing' });
    const away = overlaid(store, { listReferrers: () => Promise.reject(fault) });
    expect(await rejectionOf(judge(away, pinned, [policyObject([byKey(ours)])]))).to.equal(fault);
  });
});
