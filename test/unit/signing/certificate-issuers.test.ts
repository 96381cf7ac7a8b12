import { X509Certificate, sign, webcrypto } from 'node:crypto';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import { encodePem } from '../../../src/model/signature.ts';
import { parseCertificateIssuers } from '../../../src/signing/certificate-issuers.ts';
import type { CertificateIssuers } from '../../../src/signing/certificate-issuers.ts';
import { matching } from '../../../src/signing/certificate-identity.ts';
import type { Evidence } from '../../../src/signing/evidence-material.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import type { ExpectedSigner, VerificationDemands } from '../../../src/signing/verification.ts';
import { codeOf } from './codes.ts';
import { attest, expectController, openWorkshop, signImage } from './signed-evidence.ts';
import type { Workshop } from './signed-evidence.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const hour = 3_600_000;
const codeSigning = '1.3.6.1.5.5.7.3.3';
const serverUse = '1.3.6.1.5.5.7.3.1';

/** A certificate with its key. */
interface Issued {
  readonly pem: string;
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

interface Wanted {
  readonly name: string;
  readonly issuer?: Issued;
  readonly extensions: x509.Extension[];
  /** Hours from now. */
  readonly from?: number;
  readonly to?: number;
}

async function issue({ name, issuer, extensions, from = -1, to = 1 }: Wanted): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: issuer?.name ?? name,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() + from * hour),
    notAfter: new Date(Date.now() + to * hour),
    extensions,
  });
  return { pem: certificate.toString('pem'), name, keys };
}

const issueAuthority = (name: string, more: Partial<Wanted> = {}): Promise<Issued> =>
  issue({ name, extensions: [new x509.BasicConstraintsExtension(true, undefined, true)], ...more });
const issueLeaf = (issuer: Issued, usage = codeSigning): Promise<Issued> =>
  issue({
    name: 'CN=builder',
    issuer,
    extensions: [
      new x509.ExtendedKeyUsageExtension([usage]),
      new x509.SubjectAlternativeNameExtension([{ type: 'email', value: 'builder@example.com' }]),
    ],
  });

const issuersIn = (...pems: readonly string[]): CertificateIssuers =>
  parseCertificateIssuers(pems.join('\n'))!;
const publicPem = (pem: string): string =>
  new X509Certificate(pem).publicKey.export({ format: 'pem', type: 'spki' }).toString();

async function signWith({ pem, keys }: Issued): Promise<Evidence> {
  const content = Buffer.from('{"critical":{}}');
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const signature = sign('sha256', content, { key: der, format: 'der', type: 'pkcs8' });
  const annotations = {
    'dev.cosignproject.cosign/signature': signature.toString('base64'),
    'dev.sigstore.cosign/certificate': pem,
  };
  return { layout: 'tag', mediaType: mediaTypes.simpleSigning, content, annotations };
}

describe('certificate authorities of an authority of its own', () => {
  let sigstore: DevelopmentSigstore;
  let workshop: Workshop;
  let fulcioRoot: string;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    workshop = openWorkshop(sigstore, agent);
    const { certificateAuthorities } = TrustedRoot.fromJSON(sigstore.trustedRoot);
    fulcioRoot = encodePem('CERTIFICATE', certificateAuthorities[0]!.certChain!.certificates[0]!.rawBytes);
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  /** The trust root of the logs, that trusts no certificate authority. */
  const withoutAuthorities = (more: Partial<TrustRoot['material']> = {}): TrustRoot => {
    const { material, version } = workshop.trustRoot;
    return { material: { ...material, certificateAuthorities: [], ...more }, version };
  };
  const demandsOf = (more: Partial<VerificationDemands>): VerificationDemands => ({
    ...workshop.demands,
    trustRoot: withoutAuthorities(),
    ...more,
  });

  it('stand in for those of the trust root, in both layouts; log and certificate log count as ever', async () => {
    const { layer } = await signImage(workshop);
    const { bundle } = await attest(workshop);
    for (const evidence of [layer, bundle]) {
      const judge = (more: Partial<VerificationDemands>): string =>
        codeOf(() => verifySignedEntity(evidence, expectController, demandsOf(more)));
      expect(judge({})).to.equal('ERR_VERIFY_CHAIN');
      const issuers = issuersIn(fulcioRoot);
      expect(judge({ issuers })).to.equal('passed');
      expect(judge({ issuers: issuersIn(publicPem(fulcioRoot)) })).to.equal('passed');
      const trustRoot = withoutAuthorities({ ctlogs: [] });
      expect(judge({ issuers, trustRoot })).to.equal('ERR_VERIFY_SCT');
      expect(judge({ issuers, trustRoot, requireSct: false })).to.equal('passed');
      expect(judge({ issuers, trustRoot: withoutAuthorities({ tlogs: [] }) })).to.equal('ERR_VERIFY_SET');
    }
  });

  it('refuse what another authority issued with ERR_VERIFY_CHAIN, also one of the same name', async () => {
    const { layer } = await signImage(workshop);
    const twin = await issueAuthority(new X509Certificate(fulcioRoot).subject.replaceAll('\n', ', '));
    const other = await issueAuthority('CN=other');
    for (const pem of [twin.pem, other.pem, publicPem(other.pem)]) {
      const judge = (): unknown =>
        verifySignedEntity(layer, expectController, demandsOf({ issuers: issuersIn(pem) }));
      expect(codeOf(judge)).to.equal('ERR_VERIFY_CHAIN');
    }
  });

  describe('of an organisation, without log and OpenID issuer', () => {
    const identity = { issuer: matching('^$'), subject: matching('^builder@example[.]com$') };
    const builder: ExpectedSigner = { kind: 'identity', anyOf: [identity] };
    const judge = (evidence: Evidence, issuers: CertificateIssuers, at = new Date()): string =>
      codeOf(() =>
        verifySignedEntity(
          evidence,
          builder,
          demandsOf({ issuers, witness: 'unsafe-none', requireSct: false, at }),
        ),
      );

    it('accept what they issued, an intermediate one by itself', async () => {
      const root = await issueAuthority('CN=root');
      const intermediate = await issueAuthority('CN=intermediate', { issuer: root });
      const evidence = await signWith(await issueLeaf(intermediate));
      expect(judge(evidence, issuersIn(root.pem, intermediate.pem))).to.equal('passed');
      expect(judge(evidence, issuersIn(intermediate.pem))).to.equal('passed');
      expect(judge(evidence, issuersIn(root.pem))).to.equal('ERR_VERIFY_CHAIN');
    });

    it('refuse another identity with ERR_VERIFY_IDENTITY, and another use with ERR_VERIFY_CHAIN', async () => {
      const root = await issueAuthority('CN=root');
      const evidence = await signWith(await issueLeaf(root));
      const other: ExpectedSigner = { kind: 'identity', anyOf: [{ ...identity, issuer: matching('^a') }] };
      const demands = demandsOf({ issuers: issuersIn(root.pem), witness: 'unsafe-none', requireSct: false });
      expect(codeOf(() => verifySignedEntity(evidence, other, demands))).to.equal('ERR_VERIFY_IDENTITY');
      const server = await signWith(await issueLeaf(root, serverUse));
      expect(judge(server, issuersIn(root.pem))).to.equal('ERR_VERIFY_CHAIN');
    });

    it('refuse what is used when they or the certificate have expired with ERR_VERIFY_EXPIRED', async () => {
      const expired = await issueAuthority('CN=root', { from: -3, to: -2 });
      const evidence = await signWith(await issueLeaf(expired));
      expect(judge(evidence, issuersIn(expired.pem))).to.equal('ERR_VERIFY_EXPIRED');
      const root = await issueAuthority('CN=root');
      const late = new Date(Date.now() + 2 * hour);
      expect(judge(await signWith(await issueLeaf(root)), issuersIn(root.pem), late)).to.equal(
        'ERR_VERIFY_EXPIRED',
      );
    });
  });

  it('are read from certificates of authorities or a public key, and from nothing else', async () => {
    const root = await issueAuthority('CN=root');
    const leaf = await issueLeaf(root);
    expect(issuersIn(root.pem, fulcioRoot).anchors).to.have.length(2);
    expect(issuersIn(publicPem(root.pem)).anchors).to.have.length(1);
    for (const pem of ['', 'text', leaf.pem, `${root.pem}\n${leaf.pem}`, root.pem.replace(/M/, '')]) {
      expect(parseCertificateIssuers(pem), pem).to.equal(undefined);
    }
    expect(parseCertificateIssuers(Array.from({ length: 17 }, () => root.pem).join('\n'))).to.equal(
      undefined,
    );
  });
});
