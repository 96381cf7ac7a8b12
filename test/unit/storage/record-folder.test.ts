import { mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import type { SigningRecord } from '../../../src/model/signing-record.ts';
import { RecordFolder } from '../../../src/storage/record-folder.ts';

const { signal } = new AbortController();
const record: SigningRecord = {
  namespace: 'builds',
  uid: '0f8fad5b-d9cb-469f-a165-70867728950e',
  run: { kind: 'TaskRun', name: 'build-1' },
  phase: 'Intended',
  artifacts: [
    {
      kind: 'provenance',
      layout: 'shared',
      subject: `harbor.example/app@${digestOf('image')}`,
      payloadDigest: digestOf('payload'),
      keyFingerprints: [],
      destinations: [],
    },
  ],
};
const codeOf = async (act: Promise<unknown>): Promise<string | undefined> => {
  try {
    await act;
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
  return undefined;
};

describe('storage: record folder', () => {
  let folder = '';
  let store: RecordFolder;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chainwright-records-'));
    store = new RecordFolder(folder);
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('finds nothing in a folder that does not exist', async () => {
    expect(await new RecordFolder(path.join(folder, 'none')).find(record, { signal })).to.equal(undefined);
  });

  it('finds what it saved, as a Kubernetes object in a file of its own, and leaves no draft', async () => {
    const saved = await store.save(record, { signal });
    expect(await store.find(record, { signal })).to.deep.equal(saved);
    const { version, ...rest } = saved;
    expect(version).to.be.a('string');
    expect(rest).to.deep.equal(record);
    expect(await readdir(path.join(folder, 'builds'))).to.deep.equal([`${record.uid}.json`]);
    const text = await readFile(path.join(folder, 'builds', `${record.uid}.json`), 'utf8');
    expect(JSON.parse(text)).to.deep.include({
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'SigningRecord',
    });
  });

  it('replaces the version that was read', async () => {
    const first = await store.save(record, { signal });
    const second = await store.save({ ...first, phase: 'Complete' }, { signal });
    expect(second.version).not.to.equal(first.version);
    expect((await store.find(record, { signal }))?.phase).to.equal('Complete');
  });

  it('refuses to replace another version with ERR_RECORD_CONFLICT', async () => {
    const first = await store.save(record, { signal });
    await store.save({ ...first, phase: 'Complete' }, { signal });
    expect(await codeOf(store.save({ ...first, phase: 'Failed' }, { signal }))).to.equal(
      'ERR_RECORD_CONFLICT',
    );
    expect(await codeOf(store.save(record, { signal }))).to.equal('ERR_RECORD_CONFLICT');
    expect((await store.find(record, { signal }))?.phase).to.equal('Complete');
  });

  it('never leaves the folder: refuses strange names with ERR_RECORD_NAME', async () => {
    for (const [namespace, uid] of [
      ['..', 'x'],
      ['builds', '../x'],
      ['builds', 'a/b'],
      ['', 'x'],
      ['builds', ''],
    ] as const) {
      expect(await codeOf(store.find({ namespace, uid }, { signal }))).to.equal('ERR_RECORD_NAME');
    }
  });

  it('refuses a file that is no record with ERR_SIGNING_RECORD_INVALID, no JSON or too large with ERR_RECORD_READ', async () => {
    const file = path.join(folder, 'builds', `${record.uid}.json`);
    await mkdir(path.dirname(file));
    await writeFile(file, '{}');
    expect(await codeOf(store.find(record, { signal }))).to.equal('ERR_SIGNING_RECORD_INVALID');
    await writeFile(file, '{');
    expect(await codeOf(store.find(record, { signal }))).to.equal('ERR_RECORD_READ');
    await truncate(file, 9 * 1024 * 1024);
    expect(await codeOf(store.find(record, { signal }))).to.equal('ERR_RECORD_READ');
  });

  it('refuses to believe a record that lies under the name of another run with ERR_SIGNING_RECORD_INVALID', async () => {
    await store.save(record, { signal });
    const file = path.join(folder, 'builds', `${record.uid}.json`);
    await writeFile(path.join(folder, 'builds', 'other.json'), await readFile(file));
    const act = store.find({ namespace: 'builds', uid: 'other' }, { signal });
    expect(await codeOf(act)).to.equal('ERR_SIGNING_RECORD_INVALID');
  });

  it('says that it cannot write with ERR_RECORD_WRITE', async () => {
    await writeFile(path.join(folder, 'blocked'), '');
    const blocked = new RecordFolder(path.join(folder, 'blocked'));
    expect(await codeOf(blocked.save(record, { signal }))).to.be.oneOf([
      'ERR_RECORD_WRITE',
      'ERR_RECORD_READ',
    ]);
  });

  it('obeys the signal', async () => {
    const reason = new Error('stop');
    expect(await codeOf(store.find(record, { signal: AbortSignal.abort(reason) }))).to.equal('Error: stop');
  });
});
