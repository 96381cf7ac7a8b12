import { expect } from 'chai';
import type { SettingsInput } from '../../src/settings/settings-schema.ts';
import type { AttachedEvidence } from '../support/attached-evidence.ts';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import { listRecords } from '../support/logged-entries.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import type { RunMarks } from '../support/task-runs.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

describe('logs and timestamp authorities', () => {
  let scene: Scene;
  let authority: string;

  before(async () => {
    scene = await openScene();
    authority = scene.stack.tsaUrl;
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  interface Signed {
    readonly image: PushedImage;
    readonly marks: RunMarks;
    readonly namespace: string;
  }

  const signOne = async (stem: string, settings: SettingsInput): Promise<Signed> => {
    const namespace = await scene.namespace(stem);
    await scene.controller([namespace], { settings });
    const image = await pushImage(scene.registry, `${scene.stack.registry}/logs/${stem}`);
    const run = { namespace, name: stem };
    await createCompletedRun(scene.api, { ...run, results: imageResults(image) });
    return { image, namespace, marks: await waitUntilSigned(scene.api, run, 60_000) };
  };

  const expectAccepted = async ({ ref }: PushedImage, flags: readonly string[] = []): Promise<void> => {
    for (const judgement of [
      await scene.judges.verify(ref, {}, flags),
      await scene.judges.verifyAttestation(ref, 'slsaprovenance', {}, flags),
      await scene.judges.verifyAttestation(ref, 'cyclonedx', {}, flags),
    ]) {
      expect(judgement.code, judgement.stderr).to.equal(0);
    }
  };

  // By the digest of what is signed the log monitor recognises the entries.
  const expectRecorded = async (namespace: string, evidence: readonly AttachedEvidence[]): Promise<void> => {
    const [record] = await listRecords(scene.api, namespace);
    const entries = evidence.flatMap(({ witnesses }) => witnesses?.tlogEntries ?? []);
    for (const { entry, signedDigest = '' } of record!.spec.artifacts) {
      const logged = entries.find(({ logIndex = '0' }) => Number(logIndex) === entry?.logIndex);
      const body = Buffer.from(logged!.canonicalizedBody, 'base64').toString('utf8');
      expect(body).to.include(Buffer.from(signedDigest.replace('sha256:', ''), 'hex').toString('base64'));
    }
  };

  it('Rekor v2 with timestamps: bundles alone, each with proof and stamp, which cosign accepts', async () => {
    const { stack, registry } = scene;
    const signed = await signOne('rekor2', {
      log: { url: stack.rekor2Url, version: 'v2' },
      timestampAuthorities: [authority],
    });
    const evidence = await listEvidence(registry, signed.image, signed.image.digest);
    expect(summarise(evidence)).to.deep.equal(completeEvidence.referrers);
    for (const { witnesses } of evidence) {
      const [entry, ...others] = witnesses?.tlogEntries ?? [];
      expect(others).to.deep.equal([]);
      expect(entry?.kindVersion).to.deep.equal({ kind: 'hashedrekord', version: '0.0.2' });
      expect(entry?.inclusionProof).to.be.an('object');
      expect(witnesses?.timestampVerificationData?.rfc3161Timestamps).to.have.lengthOf(1);
    }
    await expectAccepted(signed.image);
    expect(signed.marks.logEntries.map(({ log }) => log)).to.deep.equal(Array(3).fill(stack.rekor2Url));
    await expectRecorded(signed.namespace, evidence);
  });

  it('a Rekor v1 and a v2 together: both layouts, an entry in each log, which cosign accepts', async () => {
    const { stack, registry } = scene;
    const { image, marks } = await signOne('two-logs', {
      log: { url: stack.rekorUrl, further: [{ url: stack.rekor2Url, version: 'v2' }] },
      timestampAuthorities: [authority],
    });
    const evidence = await listEvidence(registry, image, image.digest);
    expect(summarise(evidence)).to.deep.equal(completeEvidence.both);
    for (const { layout, annotations, witnesses } of evidence) {
      if (layout === 'referrer') expect(witnesses?.tlogEntries).to.have.lengthOf(2);
      else
        expect(annotations).to.include.keys(
          'dev.sigstore.cosign/bundle',
          'dev.sigstore.cosign/rfc3161timestamp',
        );
    }
    await expectAccepted(image);
    await expectAccepted(image, ['--new-bundle-format=false']);
    const logs = marks.logEntries.map(({ kind, log }) => `${kind} ${log}`).sort();
    expect(logs).to.deep.equal(
      ['provenance', 'sbom', 'signature', 'signature']
        .flatMap((kind) => [stack.rekorUrl, stack.rekor2Url].map((log) => `${kind} ${log}`))
        .sort(),
    );
  });

  it('a signing configuration chooses them', async () => {
    const { stack, registry } = scene;
    const { image, marks } = await signOne('signing-config', {
      signingConfig: { file: stack.env['STACK_SIGNING_CONFIG_REKOR2']! },
    });
    const evidence = await listEvidence(registry, image, image.digest);
    expect(summarise(evidence)).to.deep.equal(completeEvidence.referrers);
    await expectAccepted(image);
    expect(new Set(marks.logEntries.map(({ log }) => log))).to.deep.equal(new Set([stack.rekor2Url]));
  });
});
