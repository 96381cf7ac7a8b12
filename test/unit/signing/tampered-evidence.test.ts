import { generateKeyPairSync, hash } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { expect } from 'chai';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { DevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { exactly, matching } from '../../../src/signing/certificate-identity.ts';
import type { Evidence } from '../../../src/signing/evidence-material.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import type { ExpectedSigner, VerificationDemands } from '../../../src/signing/verification.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import { encodeCosignAnnotations } from '../../../src/statements/cosign-annotations.ts';
import { codeOf } from './codes.ts';
import {
  attest,
  controllerIdentity,
  expectController,
  openWorkshop,
  signImage,
  signal,
} from './signed-evidence.ts';
import type { Attested, Signed, Workshop } from './signed-evidence.ts';

interface BundleJson {
  verificationMaterial: {
    certificate: { rawBytes: string };
    tlogEntries: {
      integratedTime: string;
      inclusionPromise?: { signedEntryTimestamp: string };
      inclusionProof: { logIndex: string; hashes: string[]; checkpoint: { envelope: string } };
      canonicalizedBody: string;
    }[];
  };
  dsseEnvelope: { payload: string; payloadType: string };
}

const bundleKey = 'dev.sigstore.cosign/bundle';

function without(annotations: Readonly<Record<string, string>>, key: string): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== key));
}

describe('verifySignedEntity refuses', () => {
  let sigstore: DevelopmentSigstore;
  let workshop: Workshop;
  let attested: Attested;
  let signed: Signed;
  const agent = new Agent();

  before(async () => {
    sigstore = await startDevelopmentSigstore();
    workshop = openWorkshop(sigstore, agent);
    // Several entries, so that the inclusion proofs have hashes to tamper with.
    signed = await signImage(workshop);
    await attest(workshop, 'second');
    attested = await attest(workshop, 'third');
  });
  after(async () => {
    await agent.close();
    await sigstore[Symbol.asyncDispose]();
  });

  const refusal = (
    evidence: Evidence,
    signer: ExpectedSigner = expectController,
    demands: Partial<VerificationDemands> = {},
  ) => codeOf(() => verifySignedEntity(evidence, signer, { ...workshop.demands, ...demands }));

  const altered = (change: (json: BundleJson) => void): Evidence => {
    const json = JSON.parse(Buffer.from(attested.bundle.bytes).toString('utf8')) as BundleJson;
    change(json);
    return { layout: 'bundle', bytes: Buffer.from(JSON.stringify(json)) };
  };

  const alteredPromise = (
    change: (annotation: { SignedEntryTimestamp: string; Payload: Record<string, unknown> }) => void,
  ): Evidence => {
    const annotation = JSON.parse(signed.layer.annotations[bundleKey]!) as {
      SignedEntryTimestamp: string;
      Payload: Record<string, unknown>;
    };
    change(annotation);
    return {
      ...signed.layer,
      annotations: { ...signed.layer.annotations, [bundleKey]: JSON.stringify(annotation) },
    };
  };

  it('a changed payload with ERR_VERIFY_SIGNATURE', () => {
    const changed = Buffer.from(
      signed.payload.toString('utf8').replace('golem-trust/app', 'golem-trust/bad'),
    );
    expect(refusal({ ...signed.layer, content: changed })).to.equal('ERR_VERIFY_SIGNATURE');
    expect(
      refusal(altered((json) => (json.dsseEnvelope.payload = Buffer.from('{}').toString('base64')))),
    ).to.equal('ERR_VERIFY_SIGNATURE');
  });

  it('a changed payload type with ERR_VERIFY_SIGNATURE', () => {
    expect(refusal(altered((json) => (json.dsseEnvelope.payloadType = 'text/plain')))).to.equal(
      'ERR_VERIFY_SIGNATURE',
    );
  });

  it('another subject or issuer with ERR_VERIFY_IDENTITY', () => {
    const subject = exactly(controllerIdentity.subject);
    const issuer = exactly(controllerIdentity.issuer);
    const signers = [
      { issuer, subject: exactly(`${controllerIdentity.subject}-2`) },
      { issuer: exactly('https://kubernetes.golems.external'), subject },
      { issuer, subject: matching('^https://kubernetes\\.golems\\.internal/namespaces/other/') },
    ];
    for (const match of signers) {
      expect(refusal(signed.layer, { kind: 'identity', anyOf: [match] })).to.equal('ERR_VERIFY_IDENTITY');
    }
    expect(refusal(signed.layer, { kind: 'identity', anyOf: [] })).to.equal('ERR_VERIFY_IDENTITY');
  });

  it("another Sigstore's certificate with ERR_VERIFY_CHAIN", async () => {
    const other = await startDevelopmentSigstore();
    try {
      const trustRoot = parseTrustRoot(JSON.stringify(other.trustedRoot));
      expect(refusal(signed.layer, expectController, { trustRoot })).to.equal('ERR_VERIFY_CHAIN');
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  it('a missing log entry with ERR_VERIFY_LOG_MISSING', () => {
    const annotations = without(signed.layer.annotations, bundleKey);
    expect(refusal({ ...signed.layer, annotations })).to.equal('ERR_VERIFY_LOG_MISSING');
    expect(
      refusal({ ...signed.layer, annotations }, expectController, { witness: 'log-or-timestamp' }),
    ).to.equal('ERR_VERIFY_LOG_MISSING');
  });

  it('a forged signed entry timestamp with ERR_VERIFY_SET', () => {
    expect(refusal(alteredPromise((annotation) => (annotation.Payload['logIndex'] = 4711)))).to.equal(
      'ERR_VERIFY_SET',
    );
    expect(refusal(alteredPromise((annotation) => (annotation.SignedEntryTimestamp = 'Zm9yZ2Vk')))).to.equal(
      'ERR_VERIFY_SET',
    );
  });

  it('an entry of an unknown log with ERR_VERIFY_SET', () => {
    expect(refusal(alteredPromise((annotation) => (annotation.Payload['logID'] = 'ab'.repeat(32))))).to.equal(
      'ERR_VERIFY_SET',
    );
  });

  it('an entry about something else with ERR_VERIFY_LOG_ENTRY', async () => {
    const another = await signImage(workshop);
    const annotations = { ...signed.layer.annotations, [bundleKey]: another.layer.annotations[bundleKey]! };
    expect(refusal({ ...signed.layer, annotations })).to.equal('ERR_VERIFY_LOG_ENTRY');
  });

  it('an entry that names another certificate for the same signature with ERR_VERIFY_LOG_ENTRY', async () => {
    const other = await openWorkshop(sigstore, agent).signer.acquire({ signal });
    const signature = Buffer.from(signed.layer.annotations['dev.cosignproject.cosign/signature']!, 'base64');
    const { entry } = await workshop.rekor.append(
      {
        kind: 'hashedrekord',
        payloadSha256: hash('sha256', signed.payload),
        signature,
        verifierPem: verifierPem(other.material),
      },
      { signal },
    );
    const annotations = encodeCosignAnnotations({ signature, material: signed.key.material, entry });
    expect(refusal({ ...signed.layer, annotations })).to.equal('ERR_VERIFY_LOG_ENTRY');
  });

  it('a forged inclusion proof with ERR_VERIFY_INCLUSION_PROOF', () => {
    expect(
      refusal(
        altered((json) => {
          const { hashes } = json.verificationMaterial.tlogEntries[0]!.inclusionProof;
          hashes[0] = Buffer.alloc(32, 7).toString('base64');
        }),
      ),
    ).to.equal('ERR_VERIFY_INCLUSION_PROOF');
    expect(
      refusal(altered((json) => (json.verificationMaterial.tlogEntries[0]!.inclusionProof.logIndex = '0'))),
    ).to.equal('ERR_VERIFY_INCLUSION_PROOF');
  });

  it('a forged checkpoint with ERR_VERIFY_CHECKPOINT', () => {
    expect(
      refusal(
        altered((json) => {
          const { checkpoint } = json.verificationMaterial.tlogEntries[0]!.inclusionProof;
          checkpoint.envelope = checkpoint.envelope.replace(/\n\d+\n/, '\n99\n');
        }),
      ),
    ).to.equal('ERR_VERIFY_CHECKPOINT');
  });

  it('an altered entry body with ERR_VERIFY_SET', () => {
    expect(
      refusal(
        altered((json) => {
          const [entry] = json.verificationMaterial.tlogEntries;
          const body = Buffer.from(entry!.canonicalizedBody, 'base64').toString('utf8');
          entry!.canonicalizedBody = Buffer.from(`${body} `).toString('base64');
        }),
      ),
    ).to.equal('ERR_VERIFY_SET');
  });

  it('a bundle without any proof of time with ERR_VERIFY_TIMESTAMP', () => {
    expect(
      refusal(altered((json) => delete json.verificationMaterial.tlogEntries[0]!.inclusionPromise)),
    ).to.equal('ERR_VERIFY_TIMESTAMP');
  });

  it('a certificate used after its end with ERR_VERIFY_EXPIRED', () => {
    expect(
      refusal(
        altered((json) => {
          const [entry] = json.verificationMaterial.tlogEntries;
          entry!.integratedTime = String(Number(entry!.integratedTime) + 3600);
        }),
      ),
    ).to.equal('ERR_VERIFY_EXPIRED');
  });

  it('an expired certificate that nobody witnessed with ERR_VERIFY_EXPIRED', () => {
    const annotations = without(signed.layer.annotations, bundleKey);
    const layer = { ...signed.layer, annotations };
    const at = new Date(Date.now() + 3_600_000);
    expect(refusal(layer, expectController, { witness: 'unsafe-none', at })).to.equal('ERR_VERIFY_EXPIRED');
    expect(refusal(layer, expectController, { witness: 'unsafe-none', at: new Date() })).to.equal('passed');
  });

  it('a certificate without certificate timestamp with ERR_VERIFY_SCT', async () => {
    const plain = await startDevelopmentSigstore({ certificateTransparency: false });
    try {
      const theirs = openWorkshop(plain, agent);
      const { layer } = await signImage(theirs);
      const { trustRoot } = theirs;
      expect(refusal(layer, expectController, { trustRoot })).to.equal('ERR_VERIFY_SCT');
      expect(refusal(layer, expectController, { trustRoot, requireSct: false })).to.equal('passed');
    } finally {
      await plain[Symbol.asyncDispose]();
    }
  });

  it('a certificate timestamp of an unknown log with ERR_VERIFY_SCT', () => {
    const root = structuredClone(sigstore.trustedRoot) as { ctlogs: { logId: { keyId: string } }[] };
    root.ctlogs[0]!.logId.keyId = Buffer.alloc(32, 1).toString('base64');
    const trustRoot = parseTrustRoot(JSON.stringify(root));
    expect(refusal(signed.layer, expectController, { trustRoot })).to.equal('ERR_VERIFY_SCT');
  });

  it('a certificate where a key is expected, and another key, with ERR_VERIFY_SIGNATURE', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(refusal(signed.layer, { kind: 'key', publicKey })).to.equal('ERR_VERIFY_SIGNATURE');
  });

  it('a bare key where a certificate is expected with ERR_VERIFY_CHAIN', () => {
    const annotations = without(signed.layer.annotations, 'dev.sigstore.cosign/certificate');
    expect(refusal({ ...signed.layer, annotations })).to.equal('ERR_VERIFY_CHAIN');
  });

  it('layers of another type and unknown bundle versions with ERR_VERIFY_MALFORMED', () => {
    expect(refusal({ ...signed.layer, mediaType: 'text/plain' })).to.equal('ERR_VERIFY_MALFORMED');
    const json = JSON.parse(Buffer.from(attested.bundle.bytes).toString('utf8')) as { mediaType: string };
    json.mediaType = 'application/vnd.dev.sigstore.bundle.v0.9+json';
    expect(() => bundleFromJSON(json)).not.to.throw();
    expect(refusal({ layout: 'bundle', bytes: Buffer.from(JSON.stringify(json)) })).to.equal(
      'ERR_VERIFY_MALFORMED',
    );
  });

  it('a certificate that is cut off with ERR_VERIFY_MALFORMED', () => {
    expect(
      refusal(
        altered((json) => {
          const { certificate } = json.verificationMaterial;
          certificate.rawBytes = Buffer.from(certificate.rawBytes, 'base64')
            .subarray(0, 200)
            .toString('base64');
        }),
      ),
    ).to.equal('ERR_VERIFY_MALFORMED');
  });

  it('more witnesses than anybody needs with ERR_VERIFY_MALFORMED', () => {
    expect(
      refusal(
        altered((json) => {
          const { tlogEntries } = json.verificationMaterial;
          json.verificationMaterial.tlogEntries = Array.from({ length: 33 }, () => tlogEntries[0]!);
        }),
      ),
    ).to.equal('ERR_VERIFY_MALFORMED');
  });

  it('one entry given twice with ERR_VERIFY_TIMESTAMP', () => {
    expect(
      refusal(
        altered((json) => {
          const { tlogEntries } = json.verificationMaterial;
          json.verificationMaterial.tlogEntries = [tlogEntries[0]!, tlogEntries[0]!];
        }),
      ),
    ).to.equal('ERR_VERIFY_TIMESTAMP');
  });
});
