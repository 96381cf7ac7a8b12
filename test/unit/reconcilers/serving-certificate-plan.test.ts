import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { issueAuthority, issueLeaf, lifetimes } from '../../../src/reconcilers/serving-certificate-issue.ts';
import { planCertificate, startAnew, takeStep } from '../../../src/reconcilers/serving-certificate-plan.ts';
import {
  isIssuedBy,
  readCertificateSecret,
  toSecretData,
} from '../../../src/reconcilers/serving-certificate-secret.ts';
import type { CertificateState } from '../../../src/reconcilers/serving-certificate-secret.ts';

const subject = { name: 'hook', names: ['hook.chains.svc', '127.0.0.1'] };
const start = new Date('2026-01-01T00:00:00Z');
const dayMs = 86_400_000;
const after = (ms: number): Date => new Date(start.getTime() + ms);

/** Until when a leaf verifies by one of these authorities. */
function createVerifier(): (leafPem: string, known: readonly string[]) => Date {
  const ends = new Map<string, Date>();
  return (leafPem, known) => {
    const key = [leafPem, ...known].join();
    const end = ends.get(key) ?? endOf(new X509Certificate(leafPem), known);
    ends.set(key, end);
    return end;
  };
}

function endOf(leaf: X509Certificate, known: readonly string[]): Date {
  const issuers = known.filter((pem) => isIssuedBy(leaf, pem)).map((pem) => new X509Certificate(pem));
  const ends = issuers.map(({ validToDate }) => Math.min(validToDate.getTime(), leaf.validToDate.getTime()));
  return new Date(Math.max(0, ...ends));
}

function readBack(state: CertificateState): ReturnType<typeof readCertificateSecret> {
  return readCertificateSecret({ data: toSecretData(state) });
}

describe('a serving certificate', () => {
  let first: CertificateState;

  before(async () => {
    first = await startAnew(subject, start);
  });

  it('is an ECDSA P-256 server certificate of a week for its names, by an authority of a year', () => {
    const leaf = new X509Certificate(first.leaf.certificatePem);
    const authority = new X509Certificate(first.authority.certificatePem);
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).to.equal('prime256v1');
    expect(leaf.subjectAltName).to.equal('DNS:hook.chains.svc, IP Address:127.0.0.1');
    expect(leaf.keyUsage).to.deep.equal(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.ca).to.equal(false);
    expect(leaf.validToDate).to.deep.equal(after(7 * dayMs));
    expect(authority.ca).to.equal(true);
    expect(authority.validToDate).to.deep.equal(after(365 * dayMs));
    expect(isIssuedBy(leaf, first.authority.certificatePem)).to.equal(true);
  });

  it('begins in the past, for those whose clock is behind', () => {
    const leaf = new X509Certificate(first.leaf.certificatePem);
    expect(leaf.validFromDate.getTime()).to.be.below(start.getTime());
  });

  it('comes back from the Secret as it went in', () => {
    expect(readBack(first)).to.deep.equal({ state: first });
  });

  it('is kept for two thirds of its life, then renewed by the same authority', async () => {
    expect(planCertificate(first, subject, after(4 * dayMs))).to.equal('keep');
    const now = after(5 * dayMs);
    expect(planCertificate(first, subject, now)).to.equal('renew-leaf');
    const next = await takeStep('renew-leaf', first, { subject, now });
    expect(next.trusted).to.deep.equal(first.trusted);
    expect(next.leaf.keyPem).not.to.equal(first.leaf.keyPem);
    expect(planCertificate(next, subject, now)).to.equal('keep');
    expect(readBack(next)).to.deep.equal({ state: next });
  });

  it('is shown by a new authority an hour after callers could know it, not earlier', async () => {
    const now = after(244 * dayMs);
    const leaf = await issueLeaf(first.authority, subject.names, after(239 * dayMs));
    const due = { ...first, leaf };
    expect(planCertificate(due, subject, now)).to.equal('rotate-authority');
    const next = await takeStep('rotate-authority', due, { subject, now });
    expect(next.trusted).to.have.length(2);
    expect(next.leaf).to.equal(leaf);
    expect(planCertificate(next, subject, after(244 * dayMs + 3_599_000))).to.equal('keep');
    expect(planCertificate(next, subject, after(244 * dayMs + 3_600_000))).to.equal('renew-leaf');
  });

  it('is renewed at once for another name', () => {
    const more = { ...subject, names: [...subject.names, 'other.chains.svc'] };
    expect(planCertificate(first, more, start)).to.equal('renew-leaf');
  });

  it('is made anew where everything has expired', async () => {
    const now = after(800 * dayMs);
    expect(planCertificate(first, subject, now)).to.equal('rotate-authority');
    const next = await takeStep('rotate-authority', first, { subject, now });
    expect(next.trusted).to.have.length(1);
    expect(planCertificate(next, subject, now)).to.equal('keep');
  });

  it('never outlives its authority', async () => {
    const leaf = await issueLeaf(first.authority, subject.names, after(364 * dayMs));
    expect(new X509Certificate(leaf.certificatePem).validToDate).to.deep.equal(after(365 * dayMs));
  });

  it('verifies at any time of 500 days by what callers knew an hour before', async () => {
    let state = first;
    let known = state.trusted;
    const validUntil = createVerifier();
    const steps = new Map<string, number>();
    const stepMs = 3_600_000;
    for (let ms = 0; ms < 500 * dayMs; ms += stepMs) {
      const now = after(ms);
      expect(validUntil(state.leaf.certificatePem, known) > now, `day ${ms / dayMs}`).to.equal(true);
      known = state.trusted;
      const step = planCertificate(state, subject, now);
      if (step === 'keep') continue;
      steps.set(step, (steps.get(step) ?? 0) + 1);
      state = await takeStep(step, state, { subject, now });
    }
    expect(steps.get('rotate-authority')).to.equal(2);
    expect(steps.get('drop-old-authorities')).to.equal(2);
    expect(steps.get('renew-leaf')).to.be.within(95, 120);
    expect(state.trusted.length).to.be.at.most(2);
  }).timeout(120_000);

  describe('in a Secret that somebody else wrote', () => {
    const flawOf = (data: object): string => {
      const read = readCertificateSecret({ data });
      return 'why' in read ? read.why : 'none';
    };
    const encode = (text: string): string => Buffer.from(text).toString('base64');

    it('is told by what is wrong', async () => {
      const other = await issueAuthority('other', start);
      const data = toSecretData(first);
      expect(flawOf({})).to.equal('it has no tls.crt');
      expect(flawOf({ ...data, 'ca.key': '' })).to.equal('it has no ca.key');
      expect(flawOf({ ...data, 'tls.crt': encode('x') })).to.equal('its certificates or keys cannot be read');
      expect(flawOf({ ...data, 'tls.key': encode(other.keyPem) })).to.equal('tls.key does not fit tls.crt');
      expect(flawOf({ ...data, 'ca.key': encode(other.keyPem) })).to.equal('ca.key does not fit ca.crt');
      const foreign = { 'ca.crt': encode(other.certificatePem), 'ca.key': encode(other.keyPem) };
      expect(flawOf({ ...data, ...foreign })).to.equal('tls.crt was not issued by ca.crt');
      const leafAsAuthority = { 'ca.crt': data['tls.crt'], 'ca.key': data['tls.key'] };
      expect(flawOf({ ...data, ...leafAsAuthority })).to.equal('ca.crt is no certificate authority');
    });

    it('never throws, whatever it is', () => {
      for (const data of [null, 'x', 7, { 'tls.crt': 1 }, { 'tls.crt': { a: 1 } }]) {
        expect(readCertificateSecret({ data })).to.have.property('why');
      }
    });
  });

  it('has lifetimes that leave room for each other', () => {
    expect(lifetimes.leafMs * 3).to.be.below(lifetimes.authorityMs / 3);
  });
});
