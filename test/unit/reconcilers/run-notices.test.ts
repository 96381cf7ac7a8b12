import { expect } from 'chai';
import type { EventNotice } from '../../../src/kube/events.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { AppError } from '../../../src/model/errors.ts';
import { RunNotices } from '../../../src/reconcilers/run-notices.ts';

const run: KubeObject = {
  apiVersion: 'tekton.dev/v1',
  kind: 'TaskRun',
  metadata: { name: 'build', namespace: 'team' },
};

describe('the Events of a run', () => {
  let told: EventNotice[];
  let notices: RunNotices;
  beforeEach(() => {
    told = [];
    notices = new RunNotices({ record: (notice) => void told.push(notice) });
  });

  it('name subject and log indices of what was signed', () => {
    const entry = { log: 'https://rekor', logIndex: 42, logId: 'ab', integratedTime: 1 };
    notices.signed(run, {
      namespace: 'team',
      uid: 'uid',
      run: { kind: 'TaskRun', name: 'build' },
      phase: 'Complete',
      artifacts: [
        {
          kind: 'signature',
          layout: 'tag',
          subject: 'app@sha256:0',
          payloadDigest: digestOf('a'),
          keyFingerprints: [],
          entry,
          destinations: [],
        },
      ],
    });
    expect(told).to.deep.equal([
      {
        about: run,
        type: 'Normal',
        reason: 'Signed',
        message: 'signed 1 artifacts of app@sha256:0; log indices 42',
      },
    ]);
  });

  for (const { code, reason } of [
    { code: 'ERR_SUBJECT_ABSENT', reason: 'SubjectInvalid' },
    { code: 'ERR_TEKTON_RESULT', reason: 'ResultInvalid' },
    { code: 'ERR_STORAGE_TOO_LARGE', reason: 'SigningFailed' },
  ]) {
    it(`call ${code} ${reason} and say what to do`, () => {
      notices.failed(run, new AppError(code, 'so it is', { kind: 'permanent', remedy: 'Do that.' }));
      expect(told[0]).to.include({ type: 'Warning', reason, message: `${code}: so it is. Do that.` });
    });
  }

  it('say that a fault which passes is tried again', () => {
    notices.delayed(run, new AppError('ERR_LOG_UNAVAILABLE', 'it is away', { kind: 'passing' }));
    expect(told[0]).to.include({
      type: 'Warning',
      reason: 'SigningDelayed',
      message: 'ERR_LOG_UNAVAILABLE: it is away. Tried again later.',
    });
  });

  it('tell that a deleted run went unsigned, and that a mark is not believed', () => {
    notices.released(run, new AppError('ERR_LOG_UNAVAILABLE', 'it is away', { kind: 'passing' }));
    notices.markNotBelieved(run, 'true');
    expect(told.map(({ reason }) => reason)).to.deep.equal(['SigningFailed', 'MarkNotBelieved']);
  });
});
