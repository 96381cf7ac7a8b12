import { expect } from 'chai';
import { completeEvidence, listEvidence, summarise } from '../support/attached-evidence.ts';
import type { PushedImage } from '../support/images.ts';
import { pushImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import type { RunMarks } from '../support/task-runs.ts';
import { createCompletedRun, imageResults, waitUntilSigned } from '../support/task-runs.ts';

describe('a completed TaskRun, by the runbook', () => {
  let scene: Scene;
  let image: PushedImage;
  let marks: RunMarks;

  before(async () => {
    scene = await openScene();
    const namespace = await scene.namespace('runbook');
    await scene.controller([namespace]);
    image = await pushImage(scene.registry, `${scene.stack.registry}/example-service`);
    await createCompletedRun(scene.api, { namespace, name: 'build', results: imageResults(image) });
    marks = await waitUntilSigned(scene.api, { namespace, name: 'build' });
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  it('satisfies cosign verify', async () => {
    const { code, stderr } = await scene.judges.verify(image.ref);
    expect(code, stderr).to.equal(0);
    expect(stderr).to.include('Existence of the claims in the transparency log was verified offline');
  });

  it('satisfies cosign verify-attestation with the provenance of that image', async () => {
    const { code, stdout, stderr } = await scene.judges.verifyAttestation(image.ref);
    expect(code, stderr).to.equal(0);
    const statement = statementIn(stdout);
    expect(statement.predicateType).to.equal('https://slsa.dev/provenance/v0.2');
    expect(statement.subject).to.deep.equal([{ name: image.repository, digest: { sha256: hexOf(image) } }]);
    expect(statement.predicate.builder.id).to.equal('https://tekton.golems.internal/chains/v2');
    expect(statement.predicate.invocation.parameters).to.deep.equal({ revision: 'build' });
  });

  it('satisfies cosign verify-attestation with an SBOM', async () => {
    const { code, stdout, stderr } = await scene.judges.verifyAttestation(image.ref, 'cyclonedx');
    expect(code, stderr).to.equal(0);
    expect(statementIn(stdout).predicateType).to.equal('https://cyclonedx.org/bom');
  });

  it('leaves one signature, one provenance and one SBOM in each layout', async () => {
    const evidence = await listEvidence(scene.registry, image, image.digest);
    expect(summarise(evidence)).to.deep.equal(completeEvidence.both);
  });

  it('records log indices that rekor-cli get finds, with the certificate or hash that they stand for', async () => {
    expect(marks.logEntries.map(({ kind }) => kind).sort()).to.deep.equal([
      'provenance',
      'sbom',
      'signature',
      'signature',
    ]);
    for (const { logIndex } of marks.logEntries) {
      const entry = await scene.judges.getEntry(logIndex);
      expect(entry.LogIndex).to.equal(logIndex);
      expect(Object.keys(entry.Body)[0]).to.match(/^(?:DSSE|HashedRekord)Obj$/);
    }
  });

  it('records the address of the provenance entry as Chains does', () => {
    const [provenance] = marks.logEntries.filter(({ kind }) => kind === 'provenance');
    expect(marks.transparency).to.equal(
      `${scene.stack.rekorUrl}/api/v1/log/entries?logIndex=${provenance?.logIndex ?? 'none'}`,
    );
  });

  it('is found by rekor-cli search with the digest of the image', async () => {
    // Those of provenance and SBOM name it.
    const found = await scene.judges.searchUntilFound(image.digest, 2);
    const entries = await Promise.all(found.map((uuid) => scene.judges.getEntryByUuid(uuid)));
    const [provenance] = marks.logEntries.filter(({ kind }) => kind === 'provenance');
    expect(entries.map(({ LogIndex }) => LogIndex)).to.include(provenance?.logIndex);
  });
});

interface Statement {
  readonly predicateType: string;
  readonly subject: readonly unknown[];
  readonly predicate: {
    readonly builder: { readonly id: string };
    readonly invocation: { parameters: unknown };
  };
}

function statementIn(stdout: string): Statement {
  const { payload } = JSON.parse(stdout) as { payload: string };
  return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as Statement;
}

function hexOf({ digest }: PushedImage): string {
  return digest.slice('sha256:'.length);
}
