import { expect } from 'chai';
import { exactly, matching, requireIdentity } from '../../../src/signing/certificate-identity.ts';
import { codeOf } from './codes.ts';
import { controllerIdentity } from './signed-evidence.ts';

const anyone = matching('.*');

describe('requireIdentity', () => {
  const judge = (subject: ReturnType<typeof matching>, issuer = anyone) =>
    codeOf(() => {
      requireIdentity(controllerIdentity, [{ subject, issuer }]);
    });

  it("finds an expression anywhere in the subject, as Go's MatchString does", () => {
    expect(judge(matching('namespaces/tekton-chains/'))).to.equal('passed');
    expect(judge(matching('^namespaces/tekton-chains/'))).to.equal('ERR_VERIFY_IDENTITY');
    expect(judge(matching('(?i)TEKTON-CHAINS-CONTROLLER$'))).to.equal('passed');
  });

  it('takes an exact text as it is and no expression', () => {
    expect(judge(exactly(controllerIdentity.subject))).to.equal('passed');
    expect(judge(exactly('https://kubernetes.golems.internal'))).to.equal('ERR_VERIFY_IDENTITY');
    expect(judge(exactly('.*'))).to.equal('ERR_VERIFY_IDENTITY');
  });

  it('wants subject and issuer of the same identity', () => {
    const right = exactly(controllerIdentity.subject);
    const mixed = [
      { subject: right, issuer: exactly('https://other') },
      { subject: exactly('other'), issuer: exactly(controllerIdentity.issuer) },
    ];
    expect(
      codeOf(() => {
        requireIdentity(controllerIdentity, mixed);
      }),
    ).to.equal('ERR_VERIFY_IDENTITY');
  });

  it('names what it found and what it expected with ERR_VERIFY_IDENTITY', () => {
    const expected = [{ subject: matching('^nobody$'), issuer: exactly('https://other') }];
    expect(() => {
      requireIdentity(controllerIdentity, expected);
    })
      .to.throw()
      .with.property('message')
      .that.includes(controllerIdentity.subject)
      .and.includes('/^nobody$/')
      .and.includes('https://other');
  });

  it('refuses look-around, back-references and endless expressions with ERR_IDENTITY_PATTERN', () => {
    for (const source of ['(?=a)', String.raw`(a)\1`, '(', 'a{1001}', 'a'.repeat(5000)]) {
      expect(codeOf(() => matching(source))).to.equal('ERR_IDENTITY_PATTERN');
    }
  });

  it('judges an expression at once that would hang a backtracking matcher', () => {
    const found = { subject: `${'a'.repeat(5000)}b`, issuer: 'i' };
    const accepted = [{ subject: matching('^(a+)+$'), issuer: anyone }];
    expect(
      codeOf(() => {
        requireIdentity(found, accepted);
      }),
    ).to.equal('ERR_VERIFY_IDENTITY');
  });
});
