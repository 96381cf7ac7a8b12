import { expect } from 'chai';
import fc from 'fast-check';
import { formatAdmissionReview, refuse } from '../../../src/admission/admission-answer.ts';
import { parseAdmissionReview } from '../../../src/admission/admission-review.ts';
import { isAppError } from '../../../src/model/errors.ts';

const request = {
  uid: '0-1',
  kind: { group: '', version: 'v1', kind: 'Pod' },
  resource: { group: '', version: 'v1', resource: 'pods' },
  namespace: 'shop',
  operation: 'CREATE',
  userInfo: { username: 'alice', groups: ['x'] },
  object: { kind: 'Pod' },
  oldObject: null,
  dryRun: true,
};
const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

function codeOf(body: Buffer): string {
  try {
    parseAdmissionReview(body);
    return 'none';
  } catch (error) {
    return isAppError(error) ? error.code : 'foreign';
  }
}

describe('an AdmissionReview', () => {
  it('is read as the API server writes it', () => {
    expect(parseAdmissionReview(bytes(review))).to.deep.equal({
      ...{ uid: '0-1', kind: request.kind, subResource: '', name: '', namespace: 'shop' },
      ...{ operation: 'CREATE', user: 'alice', object: { kind: 'Pod' }, dryRun: true },
    });
  });

  const wrong: Readonly<Record<string, Buffer>> = {
    'no JSON': Buffer.from('{'),
    'no UTF-8': Buffer.from([0x22, 0xff, 0x22]),
    'another version': bytes({ ...review, apiVersion: 'admission.k8s.io/v1beta1' }),
    'another kind': bytes({ ...review, kind: 'Pod' }),
    'no request': bytes({ ...review, request: undefined }),
    'no uid': bytes({ ...review, request: { ...request, uid: '' } }),
    'an unknown operation': bytes({ ...review, request: { ...request, operation: 'PATCH' } }),
    'an object that is a list': bytes({ ...review, request: { ...request, object: [] } }),
  };
  for (const [what, body] of Object.entries(wrong)) {
    it(`with ${what} is refused with ERR_ADMISSION_REVIEW`, () => {
      expect(codeOf(body)).to.equal('ERR_ADMISSION_REVIEW');
    });
  }

  it('is read or refused, whatever comes', () => {
    const loose = fc.record(
      {
        apiVersion: fc.constantFrom('admission.k8s.io/v1', 1),
        kind: fc.constantFrom('AdmissionReview', null),
        request: fc.jsonValue(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(loose, fc.jsonValue()), (value) => {
        expect(codeOf(bytes(value))).to.be.oneOf(['none', 'ERR_ADMISSION_REVIEW']);
      }),
    );
  });

  it('is answered with its uid, a status that Kubernetes knows, and a message of bounded size', () => {
    const answer = JSON.parse(formatAdmissionReview('0-1', refuse(403, 'ä'.repeat(9000)))) as {
      response: { uid: string; allowed: boolean; status: { code: number; reason: string; message: string } };
    };
    expect(answer.response).to.deep.include({ uid: '0-1', allowed: false });
    expect(answer.response.status).to.deep.include({ code: 403, reason: 'Forbidden' });
    expect(Buffer.byteLength(answer.response.status.message)).to.be.within(6000, 6144);
    expect(answer.response.status.message).to.match(/ä…$/);
  });

  it('is answered with a patch in base64', () => {
    const step = { op: 'replace', path: '/spec/containers/0/image', value: 'x' } as const;
    const answer = JSON.parse(
      formatAdmissionReview('0-1', { allowed: true, warnings: ['careful'], patch: [step] }),
    ) as { response: Record<string, unknown> };
    expect(answer.response).to.deep.include({ allowed: true, warnings: ['careful'], patchType: 'JSONPatch' });
    expect(JSON.parse(Buffer.from(String(answer.response['patch']), 'base64').toString())).to.deep.equal([
      step,
    ]);
  });
});
