import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { digestOf } from '../../../src/model/digest.ts';
import type { SigningRecord } from '../../../src/model/signing-record.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { KubeRecordStore } from '../../../src/kube/signing-records.ts';
import { FakeObjects } from './fake-objects.ts';

const options = { signal: new AbortController().signal };
const key = { namespace: 'team', uid: '6f1c' };

const record: SigningRecord = {
  ...key,
  run: { kind: 'TaskRun', name: 'build' },
  phase: 'Intended',
  artifacts: [
    {
      kind: 'provenance',
      layout: 'shared',
      subject: `harbor.golems.internal/golem-trust/app@${digestOf('image')}`,
      payloadDigest: digestOf('payload'),
      keyFingerprints: ['a'.repeat(64)],
      entry: { log: 'https://rekor', logIndex: 7, logId: 'b'.repeat(64), integratedTime: 1_780_000_000 },
      destinations: [
        { layout: 'tag', ref: `harbor.golems.internal/golem-trust/app@${digestOf('manifest')}` },
      ],
    },
  ],
};

describe('KubeRecordStore', () => {
  let objects: FakeObjects;
  let store: KubeRecordStore;

  beforeEach(() => {
    objects = new FakeObjects();
    store = new KubeRecordStore(objects);
  });

  async function codeOf(work: Promise<unknown>): Promise<string> {
    const thrown: unknown = await work.catch((error: unknown) => error);
    return isAppError(thrown) ? thrown.code : 'none';
  }

  it('creates a record without version, replaces one with, and reads back the same, a request each', async () => {
    const created = await store.save(record, options);
    const replaced = await store.save({ ...created, phase: 'Complete', fault: 'none' }, options);
    expect(await store.find(key, options)).to.deep.equal(replaced);
    expect(replaced).to.deep.equal({ ...record, phase: 'Complete', fault: 'none', version: '2' });
    expect(objects.calls.map((call) => call.verb)).to.deep.equal(['create', 'replace', 'get']);
  });

  it('gives the object no owner, so that it outlives its run', async () => {
    await store.save(record, options);
    const object = objects.find(resourceTypes.signingRecords, { namespace: 'team', name: '6f1c' });
    expect(object?.metadata).to.not.have.property('ownerReferences');
    expect(object?.metadata.labels).to.deep.equal({ 'chainwright.dev/run-name': 'build' });
  });

  it('finds nothing where nothing is', async () => {
    expect(await store.find(key, options)).to.equal(undefined);
  });

  it('throws ERR_KUBE_CONFLICT when somebody else wrote in between', async () => {
    const first = await store.save(record, options);
    await store.save({ ...first, phase: 'Complete' }, options);
    expect(await codeOf(store.save({ ...first, phase: 'Failed' }, options))).to.equal('ERR_KUBE_CONFLICT');
    expect(await codeOf(store.save(record, options))).to.equal('ERR_KUBE_CONFLICT');
  });

  it('throws ERR_SIGNING_RECORD_INVALID for a record that somebody bent', async () => {
    objects.add(resourceTypes.signingRecords, {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'SigningRecord',
      metadata: { namespace: 'team', name: '6f1c' },
      spec: { phase: 'Complete', artifacts: [{}] },
    });
    expect(await codeOf(store.find(key, options))).to.equal('ERR_SIGNING_RECORD_INVALID');
  });

  it('throws on what is no absence, such as ERR_KUBE_UNREACHABLE', async () => {
    objects.failNext('get', 'ERR_KUBE_UNREACHABLE');
    expect(await codeOf(store.find(key, options))).to.equal('ERR_KUBE_UNREACHABLE');
  });
});
