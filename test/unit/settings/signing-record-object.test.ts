import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { SigningRecord } from '../../../src/model/signing-record.ts';
import { fromRecordObject, toRecordObject } from '../../../src/settings/signing-record-object.ts';

const bare: SigningRecord = {
  namespace: 'builds',
  uid: '0f8fad5b-d9cb-469f-a165-70867728950e',
  run: { kind: 'TaskRun', name: 'build-1' },
  phase: 'Complete',
  artifacts: [
    {
      kind: 'provenance',
      layout: 'shared',
      subject: `harbor.example/app@${digestOf('image')}`,
      payloadDigest: digestOf('payload'),
      keyFingerprints: ['ab'.repeat(32)],
      signedDigest: digestOf('what is signed'),
      entry: { log: 'https://rekor.example', logIndex: 42, logId: 'c0ff', integratedTime: 1_700_000_000 },
      furtherEntries: [{ log: 'https://rekor2.example', logIndex: 7, logId: 'c1ff', integratedTime: 0 }],
      destinations: [{ layout: 'tag', ref: `harbor.example/app@${digestOf('manifest')}` }],
    },
    {
      kind: 'signature',
      layout: 'tag',
      subject: `harbor.example/app@${digestOf('image')}`,
      payloadDigest: digestOf('other'),
      keyFingerprints: [],
      destinations: [],
    },
  ],
};
const record: SigningRecord = {
  ...bare,
  fault: 'ERR_REKOR_AWAY: https://rekor.example could not be reached',
  version: '17',
};

describe('settings: signing record as Kubernetes object', () => {
  it('comes back as it was', () => {
    const object: unknown = JSON.parse(JSON.stringify(toRecordObject(record)));
    expect(fromRecordObject(object, 'builds/x')).to.deep.equal(record);
    expect(fromRecordObject(toRecordObject(bare), 'builds/x')).to.deep.equal(bare);
  });

  it("is named by the run's UID and labelled with its name, unless that is too long for a label", () => {
    const { metadata } = toRecordObject(record);
    expect(metadata.name).to.equal(record.uid);
    expect(metadata.labels).to.deep.equal({ 'chainwright.dev/run-name': 'build-1' });
    const long = toRecordObject({ ...record, run: { kind: 'TaskRun', name: 'x'.repeat(64) } });
    expect(long.metadata.labels).to.deep.equal({});
  });

  it('leaves destinations out before it grows larger than etcd takes, and says so when that is not enough', () => {
    const [first] = bare.artifacts;
    if (first === undefined) throw new Error('the sample has no artifact');
    const destination = { layout: 'tag' as const, ref: `harbor.example/${'x'.repeat(900)}` };
    const many = (count: number, subject: string): SigningRecord => ({
      ...bare,
      artifacts: Array.from({ length: count }, () => ({
        ...first,
        subject,
        destinations: [destination, destination, destination],
      })),
    });
    const { spec } = toRecordObject(many(600, 'harbor.example/app'));
    expect(spec.artifacts.map(({ destinations }) => destinations.length)).to.deep.equal(
      Array<number>(600).fill(1),
    );
    expect(Buffer.byteLength(JSON.stringify(spec))).to.be.below(1024 * 1024);
    expect(toRecordObject(many(10, 'harbor.example/app')).spec.artifacts[0]?.destinations).to.have.length(3);
    try {
      toRecordObject(many(1000, 'x'.repeat(2000)));
      expect.fail('it was taken');
    } catch (error) {
      expect(isAppError(error) && error.code).to.equal('ERR_SIGNING_RECORD_SIZE');
    }
  });

  it('cuts a fault that the API server would not take', () => {
    const { spec } = toRecordObject({ ...record, fault: 'x'.repeat(5000) });
    expect(spec.fault).to.have.lengthOf(4096);
  });

  for (const [what, change] of [
    ['another kind', { kind: 'ConfigMap' }],
    ['an unknown field', { spec: { ...record, extra: 1 } }],
    [
      'a malformed digest',
      {
        spec: {
          run: record.run,
          phase: 'Complete',
          artifacts: [{ ...record.artifacts[0], payloadDigest: 'md5:1' }],
        },
      },
    ],
    ['no spec', { spec: undefined }],
  ] as const) {
    it(`refuses ${what} with ERR_SIGNING_RECORD_INVALID`, () => {
      const object = { ...toRecordObject(record), ...change };
      try {
        fromRecordObject(object, 'builds/x');
      } catch (error) {
        expect(isAppError(error) && error.code).to.equal('ERR_SIGNING_RECORD_INVALID');
        expect(isAppError(error) && error.object).to.equal('builds/x');
        return;
      }
      throw new Error('it was taken');
    });
  }
});
