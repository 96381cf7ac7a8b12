import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { limits } from '../../../src/model/limits.ts';
import {
  encodeEnvelope,
  inTotoPayloadType,
  parseEnvelope,
  preAuthEncoding,
} from '../../../src/statements/dsse.ts';

const parsing = (envelope: unknown) => () => parseEnvelope(Buffer.from(JSON.stringify(envelope)));
const good = { payloadType: inTotoPayloadType, payload: 'e30=', signatures: [{ sig: 'AQ==' }] };

describe('preAuthEncoding', () => {
  it("equals the specification's example", () => {
    const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
    expect(encoded.toString()).to.equal('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });

  it('counts bytes, not characters', () => {
    expect(preAuthEncoding('ü', Buffer.from('ß')).toString()).to.equal('DSSEv1 2 ü 2 ß');
  });
});

describe('encodeEnvelope', () => {
  it("writes cosign's order of members and no empty keyid", () => {
    const signatures = [
      { keyid: '', sig: Uint8Array.of(1) },
      { keyid: 'k', sig: Uint8Array.of(2) },
    ];
    const bytes = encodeEnvelope({ payloadType: 't', payload: Buffer.from('{}'), signatures });
    expect(bytes.toString()).to.equal(
      '{"payloadType":"t","payload":"e30=","signatures":[{"sig":"AQ=="},{"keyid":"k","sig":"Ag=="}]}',
    );
  });

  it('is undone by parseEnvelope', () => {
    const bytes = fc.uint8Array({ minLength: 1 }).map((array) => Buffer.from(array));
    const signature = fc.record({ keyid: fc.string(), sig: bytes });
    const envelope = fc.record({
      payloadType: fc.string({ minLength: 1 }),
      payload: bytes,
      signatures: fc.array(signature, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(envelope, (value) => {
        expect(parseEnvelope(encodeEnvelope(value))).to.deep.equal(value);
      }),
    );
  });
});

describe('parseEnvelope', () => {
  it('takes URL-safe and unpadded base64 and ignores members that it does not know', () => {
    const { payload, signatures } = parseEnvelope(
      Buffer.from(
        JSON.stringify({ ...good, payload: '-_8', signatures: [{ sig: '-_8=', keyid: null, cert: 'x' }] }),
      ),
    );
    expect([...payload]).to.deep.equal([251, 255]);
    expect(signatures).to.deep.equal([{ keyid: '', sig: Buffer.from([251, 255]) }]);
  });

  it('refuses with ERR_DSSE_ENVELOPE what is no envelope', () => {
    for (const envelope of [
      {},
      { ...good, payloadType: '' },
      { ...good, payload: 'e30' + '*' },
      { ...good, payload: 'e31=' },
      { ...good, payload: 'e30=\n' },
      { ...good, signatures: [] },
      { ...good, signatures: [{ sig: '' }] },
      { ...good, signatures: Array.from({ length: 65 }, () => ({ sig: 'AQ==' })) },
      [good],
      null,
    ]) {
      expect(parsing(envelope), JSON.stringify(envelope))
        .to.throw()
        .with.property('code', 'ERR_DSSE_ENVELOPE');
    }
  });

  it('refuses two payloads with ERR_DSSE_ENVELOPE', () => {
    const twice = Buffer.from(JSON.stringify(good).replace('"payload":', '"payload":"e30=","payload":'));
    expect(() => parseEnvelope(twice))
      .to.throw(/a member name twice/)
      .with.property('code', 'ERR_DSSE_ENVELOPE');
  });

  it('refuses more bytes than the limit with ERR_DSSE_ENVELOPE', () => {
    expect(() => parseEnvelope(Buffer.alloc(limits.envelopeBytes + 1, ' '))).to.throw(/too large/);
  });

  it('throws nothing but ERR_DSSE_ENVELOPE', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            parseEnvelope(bytes);
          } catch (error) {
            expect(isAppError(error) && error.code).to.equal('ERR_DSSE_ENVELOPE');
          }
        },
      ),
    );
  });
});
