import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { isAppError } from '../../../src/model/errors.ts';
import {
  imageShortKey,
  maxRunStorageBytes,
  runAnnotations,
  runShortKey,
} from '../../../src/storage/run-annotation-storage.ts';
import type { RunPayload } from '../../../src/storage/run-annotation-storage.ts';

const uid = '0f8fad5b-d9cb-469f-a165-70867728950e';
const shortKey = runShortKey('TaskRun', uid);
const payloadOf = (bytes: number): RunPayload => ({
  shortKey,
  payload: Buffer.alloc(bytes, 'x'),
  signature: Buffer.from('{}'),
});
const codeOf = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
  return undefined;
};

describe('storage: annotations of the run', () => {
  it('keys and encodes as Chains does', () => {
    const annotations = runAnnotations([
      {
        shortKey,
        payload: Buffer.from('{"_type":"x"}'),
        signature: Buffer.from('{"payloadType":"y"}'),
        certificatePem: 'CERT',
        chainPem: 'CHAIN',
      },
    ]);
    expect(annotations).to.deep.equal({
      [`chains.tekton.dev/payload-taskrun-${uid}`]: 'eyJfdHlwZSI6IngifQ==',
      [`chains.tekton.dev/signature-taskrun-${uid}`]: 'eyJwYXlsb2FkVHlwZSI6InkifQ==',
      [`chains.tekton.dev/cert-taskrun-${uid}`]: 'Q0VSVA==',
      [`chains.tekton.dev/chain-taskrun-${uid}`]: 'Q0hBSU4=',
    });
  });

  it('writes cert and chain empty for a bare key, as Chains does', () => {
    const annotations = runAnnotations([payloadOf(1)]);
    expect(annotations[`chains.tekton.dev/cert-${shortKey}`]).to.equal('');
    expect(annotations[`chains.tekton.dev/chain-${shortKey}`]).to.equal('');
  });

  it('names images by twelve hex digits, and every key fits the name part of an annotation', () => {
    const key = imageShortKey(digestOf('image'));
    expect(key).to.match(/^[\da-f]{12}$/);
    expect(digestOf('image')).to.include(key);
    const names = Object.keys(runAnnotations([payloadOf(1), { ...payloadOf(1), shortKey: key }]));
    expect(names).to.have.lengthOf(8);
    expect(names.every((name) => (name.split('/')[1] ?? '').length <= 63)).to.equal(true);
  });

  it('takes 100 KiB in all and refuses more with ERR_STORAGE_TOO_LARGE', () => {
    const bare = Object.entries(runAnnotations([payloadOf(0)]))
      .flat()
      .join('').length;
    const room = Math.floor((maxRunStorageBytes - bare) / 4) * 3;
    expect(codeOf(() => runAnnotations([payloadOf(room)]))).to.equal(undefined);
    expect(codeOf(() => runAnnotations([payloadOf(room + 3)]))).to.equal('ERR_STORAGE_TOO_LARGE');
  });

  it('counts what the run holds already and keeps, not what is replaced (ERR_STORAGE_TOO_LARGE)', () => {
    const old = 'x'.repeat(90 * 1024);
    const other = { 'chains.tekton.dev/payload-0123456789ab': old };
    const same = { [`chains.tekton.dev/payload-${shortKey}`]: old };
    expect(codeOf(() => runAnnotations([payloadOf(15_000)], other))).to.equal('ERR_STORAGE_TOO_LARGE');
    expect(codeOf(() => runAnnotations([payloadOf(15_000)], same))).to.equal(undefined);
  });

  it('refuses what the API server would refuse, 256 KiB of annotations, with ERR_STORAGE_TOO_LARGE', () => {
    const others = { 'example.com/notes': 'x'.repeat(250 * 1024) };
    expect(codeOf(() => runAnnotations([payloadOf(1)], others))).to.equal(undefined);
    expect(codeOf(() => runAnnotations([payloadOf(15_000)], others))).to.equal('ERR_STORAGE_TOO_LARGE');
  });

  it('refuses a key that would make another annotation with ERR_STORAGE_KEY', () => {
    for (const key of ['', 'a/b', 'A', 'x'.repeat(60)]) {
      expect(codeOf(() => runAnnotations([{ ...payloadOf(1), shortKey: key }]))).to.equal('ERR_STORAGE_KEY');
    }
  });
});
