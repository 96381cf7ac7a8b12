import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { exactly } from '../../../src/signing/certificate-identity.ts';
import { CertificateMemory } from '../../../src/signing/certificate-memory.ts';
import type { CertificateDemands } from '../../../src/signing/certificate-memory.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import type { ExpectedSigner, VerificationDemands } from '../../../src/signing/verification.ts';
import { codeOf } from './codes.ts';
import { controllerIdentity, expectController, openWorkshop, signImage } from './signed-evidence.ts';
import type { Signed, Workshop } from './signed-evidence.ts';

/** Demands that count how often the authorities of a trust root are looked at. */
function counted({ material }: TrustRoot): {
  readonly trust: CertificateDemands;
  readonly looks: () => number;
} {
  let looks = 0;
  const watched = {
    ...material,
    get certificateAuthorities() {
      looks += 1;
      return material.certificateAuthorities;
    },
  };
  return { trust: { times: [new Date()], requireSct: true, material: watched }, looks: () => looks };
}

function derOf({ key: { material } }: Signed): Uint8Array {
  if (material.kind === 'certificate') return material.chainDer[0];
  throw new Error('it was signed without a certificate');
}

describe('what is remembered of certificates', () => {
  let sigstore: DevelopmentSigstore;
  let other: DevelopmentSigstore;
  let workshop: Workshop;
  let signed: Signed;
  let certificates: CertificateMemory;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    other = await startDevelopmentSigstore();
    workshop = openWorkshop(sigstore, agent);
    signed = await signImage(workshop);
  });
  beforeEach(() => {
    certificates = new CertificateMemory();
  });
  after(async () => {
    await agent.close();
    await Promise.all([sigstore, other].map((one) => one[Symbol.asyncDispose]()));
  });

  const outcome = (
    demands: Partial<VerificationDemands> = {},
    layer = signed.layer,
    signer: ExpectedSigner = expectController,
  ): string =>
    codeOf(() => verifySignedEntity(layer, signer, { ...workshop.demands, certificates, ...demands }));

  const unlogged = (): Signed['layer'] => {
    const { 'dev.sigstore.cosign/bundle': _entry, ...annotations } = signed.layer.annotations;
    return { ...signed.layer, annotations };
  };

  /** A trust root of the same Sigstore with something changed. */
  const changed = (
    change: (root: {
      certificateAuthorities: { validFor: { start: string; end?: string } }[];
      ctlogs: { logId: { keyId: string } }[];
    }) => void,
  ): TrustRoot => {
    const root = structuredClone(sigstore.trustedRoot);
    change(root as Parameters<typeof change>[0]);
    return parseTrustRoot(JSON.stringify(root));
  };

  it('spares verifying the chain of a certificate that signs again', () => {
    const { trust, looks } = counted(workshop.trustRoot);
    const der = derOf(signed);
    certificates.requireTrusted({ der }, trust);
    expect(looks()).to.equal(1);
    certificates.requireTrusted({ der: Buffer.from(der) }, trust);
    expect(looks()).to.equal(1);
    expect(certificates.parse(der, { issuerIsOptional: false })).to.equal(
      certificates.parse(Buffer.from(der), { issuerIsOptional: false }),
    );
  });

  it('refuses a later piece that was made outside the validity of the certificate with ERR_VERIFY_EXPIRED', () => {
    const layer = unlogged();
    const witness = 'unsafe-none';
    expect(outcome({ witness, at: new Date() }, layer)).to.equal('passed');
    for (const hours of [-1, 1]) {
      const at = new Date(Date.now() + hours * 3_600_000);
      expect(outcome({ witness, at }, layer), `${hours} h`).to.equal('ERR_VERIFY_EXPIRED');
    }
  });

  it('refuses a later piece that was made after the end of the authority with ERR_VERIFY_CHAIN', () => {
    const now = Date.now();
    const trustRoot = changed(({ certificateAuthorities }) => {
      for (const authority of certificateAuthorities) {
        authority.validFor = { ...authority.validFor, end: new Date(now + 30_000).toISOString() };
      }
    });
    const layer = unlogged();
    const at = (ms: number): Partial<VerificationDemands> => ({
      trustRoot,
      witness: 'unsafe-none',
      at: new Date(now + ms),
    });
    expect(outcome(at(0), layer)).to.equal('passed');
    expect(outcome(at(29_000), layer)).to.equal('passed');
    expect(outcome(at(31_000), layer)).to.equal('ERR_VERIFY_CHAIN');
  });

  it('trusts nothing in another trust root: ERR_VERIFY_CHAIN', () => {
    expect(outcome()).to.equal('passed');
    const theirs = parseTrustRoot(JSON.stringify(other.trustedRoot));
    const { tlogs, ctlogs } = workshop.trustRoot.material;
    const trustRoot = { ...theirs, material: { ...theirs.material, tlogs, ctlogs } };
    expect(outcome({ trustRoot })).to.equal('ERR_VERIFY_CHAIN');
  });

  it('asks each trust root for the certificate timestamp: ERR_VERIFY_SCT', () => {
    expect(outcome()).to.equal('passed');
    const trustRoot = changed(({ ctlogs }) => {
      for (const log of ctlogs) log.logId.keyId = Buffer.alloc(32, 1).toString('base64');
    });
    expect(outcome({ trustRoot })).to.equal('ERR_VERIFY_SCT');
  });

  it('does not take a certificate that needed no timestamp for one that has it: ERR_VERIFY_SCT', async () => {
    await using plain = await startDevelopmentSigstore({ certificateTransparency: false });
    const theirs = openWorkshop(plain, agent);
    const { layer } = await signImage(theirs);
    const { trustRoot } = theirs;
    expect(outcome({ trustRoot, requireSct: false }, layer)).to.equal('passed');
    expect(outcome({ trustRoot, requireSct: true }, layer)).to.equal('ERR_VERIFY_SCT');
    expect(outcome({ trustRoot, requireSct: false }, layer)).to.equal('passed');
  });

  it('takes no other certificate for one that is known: ERR_VERIFY_CHAIN', async () => {
    expect(outcome()).to.equal('passed');
    const theirs = openWorkshop(other, agent);
    const { layer } = await signImage(theirs);
    expect(outcome({}, layer)).to.equal('ERR_VERIFY_CHAIN');
    const known = certificates.parse(derOf(signed), { issuerIsOptional: false });
    const der = Buffer.from(known.der);
    der.writeUInt8(der.readUInt8(der.length - 1) ^ 1, der.length - 1);
    const { material } = workshop.trustRoot;
    const trust = { times: [known.notBefore], requireSct: true, material };
    const trusted = (leaf: { readonly der: Uint8Array }): string =>
      codeOf(() => {
        certificates.requireTrusted(leaf, trust);
      });
    expect(trusted(known)).to.equal('passed');
    expect(trusted({ der })).to.equal('ERR_VERIFY_CHAIN');
  });

  it('remembers no identity: ERR_VERIFY_IDENTITY', () => {
    expect(outcome()).to.equal('passed');
    const issuer = exactly(controllerIdentity.issuer);
    const anyOf = [{ issuer, subject: exactly(`${controllerIdentity.subject}-2`) }];
    expect(outcome({}, signed.layer, { kind: 'identity', anyOf })).to.equal('ERR_VERIFY_IDENTITY');
  });

  it('remembers so many certificates, and forgets the one used longest ago', async () => {
    const small = new CertificateMemory({ certificates: 2 });
    const more = await Promise.all([1, 2].map(() => signImage(openWorkshop(sigstore, agent))));
    // After the last certificate began to be valid.
    const { trust, looks } = counted(workshop.trustRoot);
    const [first, second, third] = [signed, ...more].map((one) => ({ der: derOf(one) }));
    const looksFor = (leaf: { der: Uint8Array } | undefined): number => {
      const before = looks();
      small.requireTrusted(leaf!, trust);
      return looks() - before;
    };
    expect([first, second, first, third, first, second].map(looksFor)).to.deep.equal([1, 1, 0, 1, 0, 1]);
  });
});
