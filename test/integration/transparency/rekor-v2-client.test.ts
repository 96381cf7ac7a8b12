import { hash } from 'node:crypto';
import { expect } from 'chai';
import { Agent } from 'undici';
import { identityToken, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { verifierPem } from '../../../src/model/signature.ts';
import type { SigningKey } from '../../../src/model/signature.ts';
import { createFulcioClient } from '../../../src/signing/fulcio-client.ts';
import { createRequestTokenSource } from '../../../src/signing/identity-token.ts';
import { KeylessSigner } from '../../../src/signing/keyless-signer.ts';
import { loadTrustRoot, logKeysOf } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { verifySignedEntity } from '../../../src/signing/verification.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../src/statements/dsse.ts';
import { encodeBundle } from '../../../src/statements/sigstore-bundle.ts';
import { RekorV2Client } from '../../../src/transparency/rekor-v2-client.ts';
import { createTimestampClient } from '../../../src/transparency/timestamp-client.ts';
import { codeOf } from '../../unit/signing/codes.ts';
import { expectController, signal, systemClock } from '../../unit/signing/signed-evidence.ts';

describe('RekorV2Client and the timestamp client against the real servers', () => {
  const agent = new Agent();
  const http = { dispatcher: agent, clock: systemClock };
  let stack: Stack;
  let trustRoot: TrustRoot;
  let key: SigningKey;

  before(async () => {
    stack = await openStack();
    trustRoot = await loadTrustRoot(stack.trustedRoot, { signal });
    const fulcio = createFulcioClient({ ...http, url: stack.fulcioUrl });
    const tokens = createRequestTokenSource(() => identityToken(), systemClock);
    key = await new KeylessSigner({ fulcio, tokens, clock: systemClock }).acquire({ signal });
  });
  after(() => agent.close());

  const open = () => new RekorV2Client({ ...http, url: stack.rekor2Url, keys: logKeysOf(trustRoot) });

  it('logs an envelope that verifies with a timestamp, and not without one', async function () {
    const payload = Buffer.from(JSON.stringify({ _type: 'lab', at: new Date().toISOString() }));
    const sig = await key.sign(preAuthEncoding(inTotoPayloadType, payload));
    const envelope = { payloadType: inTotoPayloadType, payload, signatures: [{ keyid: '', sig }] };
    const { entry } = await open().append(
      {
        kind: 'dsse',
        envelope: encodeEnvelope(envelope).toString('utf8'),
        verifierPem: verifierPem(key.material),
      },
      { signal },
    );
    const stamp = await createTimestampClient({ ...http, url: stack.tsaUrl }).stamp(sig, { signal });
    const judge = (timestamps: readonly Uint8Array[]): string => {
      const bytes = encodeBundle({ envelope, material: key.material, entries: [entry], timestamps });
      const demands = { trustRoot, witness: 'log', requireSct: true, at: new Date() } as const;
      return codeOf(() => verifySignedEntity({ layout: 'bundle', bytes }, expectController, demands));
    };
    expect(judge([stamp])).to.equal('passed');
    expect(judge([])).to.equal('ERR_VERIFY_TIMESTAMP');
  });

  it('logs a hash', async function () {
    const payload = Buffer.from(new Date().toISOString());
    const { entry } = await open().append(
      {
        kind: 'hashedrekord',
        payloadSha256: hash('sha256', payload),
        signature: await key.sign(payload),
        verifierPem: verifierPem(key.material),
      },
      { signal },
    );
    expect(entry.kindVersion).to.deep.equal({ kind: 'hashedrekord', version: '0.0.2' });
  });
});
