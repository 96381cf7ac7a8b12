import { expect } from 'chai';
import { outcomeOf } from './planted.ts';
import { accepted, wrongCertificateLog, wrongDigest, wrongSigner, wrongTime } from './signature-cases.ts';
import { everyVersion, everyVersionForged } from './version-cases.ts';
import { malformed, mixedUp, wrongPromise, wrongProof } from './witness-cases.ts';

describe('verifying the signature of a file', () => {
  for (const [name, planted] of [...accepted, ...everyVersion]) {
    it(`accepts ${name}`, () => {
      expect(outcomeOf(planted)).to.equal('passed');
    });
  }

  for (const [name, code, planted] of [
    ...wrongDigest,
    ...wrongSigner,
    ...wrongTime,
    ...wrongCertificateLog,
    ...wrongPromise,
    ...wrongProof,
    ...mixedUp,
    ...malformed,
    ...everyVersionForged,
  ]) {
    it(`refuses ${name} with ${code}`, () => {
      expect(outcomeOf(planted)).to.equal(code);
    });
  }
});
