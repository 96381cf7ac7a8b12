import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { MockAgent } from 'undici';
import type { SigningKey } from '../../../../src/model/signature.ts';
import { openKmsKeys } from '../../../../src/signing/kms/kms-keys.ts';

/** A key pair's public half, as services give it and as it is expected. */
export interface SamplePublicKey {
  readonly key: KeyObject;
  readonly pem: string;
  readonly der: Buffer;
}

/** Makes a public key. */
export function samplePublicKey(kind: 'ec' | 'rsa' | 'ed25519' = 'ec'): SamplePublicKey {
  const key =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
      : kind === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
        : generateKeyPairSync('ed25519').publicKey;
  return {
    key,
    pem: key.export({ format: 'pem', type: 'spki' }).toString(),
    der: key.export({ format: 'der', type: 'spki' }),
  };
}

/** A network where nobody answers but who is named. */
export function closedNetwork(): MockAgent {
  const agent = new MockAgent();
  agent.disableNetConnect();
  return agent;
}

/** Looks for a key on that network. */
export function findKey(
  uri: string,
  dispatcher: MockAgent,
  { environment = {}, deadlineMs = 5000 }: { environment?: Record<string, string>; deadlineMs?: number } = {},
): Promise<string> {
  const { signal } = new AbortController();
  return openKmsKeys({ dispatcher, environment, deadlineMs }).find(uri, { signal });
}

/** Runs `work` with variables of the process environment, which the SDKs read by themselves. */
export async function withVariables<Value>(
  variables: Readonly<Record<string, string>>,
  work: () => Promise<Value>,
): Promise<Value> {
  const before = { ...process.env };
  Object.assign(process.env, variables);
  try {
    return await work();
  } finally {
    process.env = before;
  }
}

/** Opens a key to sign with on that network. */
export function openSigningKey(
  uri: string,
  dispatcher: MockAgent,
  environment: Readonly<Record<string, string>> = {},
): Promise<SigningKey> {
  const { signal } = new AbortController();
  return openKmsKeys({ dispatcher, environment, deadlineMs: 5000 }).openSigningKey(uri, { signal });
}
