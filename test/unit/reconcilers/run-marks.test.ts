import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { RecordedArtifact, SigningRecord } from '../../../src/model/signing-record.ts';
import {
  delayedAnnotations,
  failedAnnotations,
  nothingToSignAnnotations,
  runAnnotationKeys as keys,
  settledAnnotations,
  signedAnnotations,
  signedMarkOf,
} from '../../../src/reconcilers/run-marks.ts';

function artifactOf(kind: RecordedArtifact['kind'], logIndex?: number): RecordedArtifact {
  return {
    kind,
    layout: 'shared',
    subject: 'harbor.golems.internal/app@sha256:0',
    payloadDigest: digestOf(`${kind} ${logIndex ?? 0}`),
    keyFingerprints: [],
    destinations: [{ layout: 'tag', ref: 'harbor.golems.internal/app@sha256:1' }],
    ...(logIndex === undefined
      ? {}
      : { entry: { log: 'https://rekor', logIndex, logId: 'ab', integratedTime: 1 } }),
  };
}

function recordOf(artifacts: readonly RecordedArtifact[]): SigningRecord {
  return {
    namespace: 'team',
    uid: 'uid',
    run: { kind: 'TaskRun', name: 'build' },
    phase: 'Complete',
    artifacts,
  };
}

const fault = new AppError('ERR_SUBJECT_ABSENT', 'it is not there', { kind: 'permanent' });

describe('the marks on a run', () => {
  it('are true and failed, and nothing else', () => {
    expect(signedMarkOf({ [keys.signed]: 'true' })).to.equal('true');
    expect(signedMarkOf({ [keys.signed]: 'failed' })).to.equal('failed');
    for (const value of ['', 'True', 'false', 'yes']) {
      expect(signedMarkOf({ [keys.signed]: value })).to.equal(undefined);
    }
    expect(signedMarkOf(undefined)).to.equal(undefined);
  });

  it('of a signed run point at the entry of the provenance, and list all', () => {
    const annotations = signedAnnotations(
      recordOf([artifactOf('signature', 4), artifactOf('provenance', 5)]),
    );
    expect(annotations).to.include({
      [keys.signed]: 'true',
      [keys.transparency]: 'https://rekor/api/v1/log/entries?logIndex=5',
    });
    expect(JSON.parse(annotations[keys.logEntries] ?? '')).to.deep.equal(
      [4, 5].map((logIndex) => ({
        kind: logIndex === 4 ? 'signature' : 'provenance',
        subject: 'harbor.golems.internal/app@sha256:0',
        log: 'https://rekor',
        logIndex,
        ref: 'harbor.golems.internal/app@sha256:1',
      })),
    );
  });

  it('list the entries of every log; one of Rekor v2 has no address of its own', () => {
    const v2 = { log: 'https://rekor2', logIndex: 7, logId: 'cd', integratedTime: 0 };
    const logged = artifactOf('provenance', 5);
    const both = signedAnnotations(recordOf([{ ...logged, furtherEntries: [v2] }]));
    expect(JSON.parse(both[keys.logEntries] ?? '')).to.have.lengthOf(2);
    expect(both[keys.logEntries]).to.include('"log":"https://rekor2","logIndex":7');
    expect(both[keys.transparency]).to.equal('https://rekor/api/v1/log/entries?logIndex=5');
    const alone = signedAnnotations(recordOf([{ ...logged, entry: v2 }]));
    expect(alone[keys.transparency]).to.equal('https://rekor2?logIndex=7');
  });

  it('of a signed run take back faults, results and counts of earlier tries', () => {
    expect(signedAnnotations(recordOf([]))).to.deep.equal({
      [keys.signed]: 'true',
      [keys.error]: null,
      [keys.result]: null,
      [keys.retries]: null,
    });
  });

  it('name no log where none took an entry', () => {
    expect(signedAnnotations(recordOf([artifactOf('signature')]))).to.not.have.any.keys(
      keys.transparency,
      keys.logEntries,
    );
  });

  it('list as many entries as fit and still point at the provenance', () => {
    const many = Array.from({ length: 900 }, (_, at) => artifactOf('signature', at + 10));
    const annotations = signedAnnotations(recordOf([...many, artifactOf('provenance', 5)]));
    const text = annotations[keys.logEntries] ?? '';
    expect(text.length).to.be.within(60 * 1024, 64 * 1024);
    expect(JSON.parse(text)).to.be.an('array');
    expect(annotations[keys.transparency]).to.match(/logIndex=5$/);
  });

  it('of a failed run carry code and message, and what was signed all the same', () => {
    const annotations = failedAnnotations(recordOf([artifactOf('signature', 4)]), fault);
    expect(annotations).to.include({
      [keys.signed]: 'failed',
      [keys.error]: 'ERR_SUBJECT_ABSENT: it is not there',
    });
    expect(annotations[keys.logEntries]).to.include('"logIndex":4');
  });

  it('say that there is nothing to sign, without a log entry', () => {
    expect(nothingToSignAnnotations()).to.deep.equal({
      [keys.signed]: 'true',
      [keys.error]: null,
      [keys.result]: 'nothing-to-sign',
      [keys.retries]: null,
    });
  });

  it('of a run that waits are no mark, and bounded', () => {
    const long = new AppError('ERR_LOG_UNAVAILABLE', 'x'.repeat(9000), { kind: 'passing' });
    const annotations = delayedAnnotations(long);
    expect(annotations).to.have.all.keys(keys.error);
    expect(annotations[keys.error]).to.have.lengthOf(2048);
  });

  it('of a believed run lose the fault of an earlier try, unless it failed for it', () => {
    expect(settledAnnotations({ [keys.signed]: 'true' })).to.deep.equal({ [keys.error]: null });
    expect(settledAnnotations({ [keys.signed]: 'failed' })).to.deep.equal({});
  });
});
