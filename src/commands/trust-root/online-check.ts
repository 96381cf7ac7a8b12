import type { Clock } from '../../model/clock.ts';
import { isPassing, messageOf } from '../../model/errors.ts';
import { fetchFulcioChains } from '../../signing/fulcio-trust-bundle.ts';
import { decodePublicKey } from '../../signing/log-identity.ts';
import { findingsAt } from '../../signing/trust-finding.ts';
import type { FindingsAt, TrustFinding } from '../../signing/trust-finding.ts';
import type {
  AuthorityInstance,
  LogInstance,
  TrustedRootDocument,
} from '../../signing/trusted-root-document.ts';
import { stateAt } from '../../signing/validity-check.ts';
import {
  fetchTimestampChain,
  findCheckpointKey,
  findTreeHeadKey,
  toLogKey,
} from '../../transparency/published-keys.ts';
import { isAppError } from '../../model/errors.ts';
import type { Dispatchers } from '../wiring/dispatchers.ts';

interface OnlineParts {
  readonly dispatchers: Dispatchers;
  readonly clock: Clock;
  readonly now: Date;
  readonly signal: AbortSignal;
}

type Options = Parameters<typeof findTreeHeadKey>[1];

/**
 * Asks each server of a trust root that counts now for its keys: a log has to sign its state with one of them, an
 * authority has to issue under one of the chains. A server that cannot be asked is the finding `unreachable`.
 */
export async function checkOnline(
  document: TrustedRootDocument,
  parts: OnlineParts,
): Promise<readonly TrustFinding[]> {
  const findings: TrustFinding[] = [];
  const { now } = parts;
  const logs = (list: readonly LogInstance[]): ReadonlyMap<string, LogInstance[]> =>
    Map.groupBy(
      list.filter(({ publicKey }) => stateAt(publicKey.validFor, now) === 'current'),
      ({ baseUrl }) => baseUrl,
    );
  const authorities = (list: readonly AuthorityInstance[]): ReadonlyMap<string, AuthorityInstance[]> =>
    Map.groupBy(
      list.filter(({ validFor, uri = '' }) => uri !== '' && stateAt(validFor, now) === 'current'),
      ({ uri = '' }) => uri,
    );
  for (const [url, known] of logs(document.tlogs)) await ask(url, parts, findings, askLog(known));
  for (const [url, known] of logs(document.ctlogs)) await ask(url, parts, findings, askCertificateLog(known));
  for (const [url, known] of authorities(document.certificateAuthorities)) {
    await ask(url, parts, findings, askFulcio(known));
  }
  for (const [url, known] of authorities(document.timestampAuthorities)) {
    await ask(url, parts, findings, askTimestampAuthority(known));
  }
  return findings;
}

type Question = (options: Options, found: FindingsAt) => Promise<void>;

async function ask(
  url: string,
  { dispatchers, clock, signal }: OnlineParts,
  findings: TrustFinding[],
  question: Question,
): Promise<void> {
  const found = findingsAt(findings, url);
  try {
    await question({ url, dispatcher: dispatchers.for(new URL(url).host), clock, signal }, found);
  } catch (error) {
    signal.throwIfAborted();
    if (!isPassing(error)) throw error;
    found.error('unreachable', messageOf(error));
  }
}

function keysOf(logs: readonly LogInstance[]): ReturnType<typeof toLogKey>[] {
  return logs.map(({ publicKey }) => toLogKey(decodePublicKey(publicKey)));
}

/** A Rekor v1 has no checkpoint where a v2 has one, and the other way round. */
function askLog(logs: readonly LogInstance[]): Question {
  return async (options, found) => {
    const keys = keysOf(logs);
    let signer: object | undefined;
    try {
      signer = await findCheckpointKey(keys, { ...options, version: 1 });
    } catch (error) {
      if (!isAppError(error) || error.code === 'ERR_LOG_UNREACHABLE') throw error;
      signer = await findCheckpointKey(keys, { ...options, version: 2 });
    }
    if (signer === undefined)
      found.error('online', 'the log signs its checkpoint with a key that is not trusted now');
  };
}

function askCertificateLog(logs: readonly LogInstance[]): Question {
  return async (options, found) => {
    const signer = await findTreeHeadKey(keysOf(logs), options);
    if (signer === undefined)
      found.error('online', 'the log signs its tree head with a key that is not trusted now');
  };
}

function askFulcio(authorities: readonly AuthorityInstance[]): Question {
  return async ({ url, dispatcher, signal }, found) => {
    const known = authorities.map(({ certChain }) => chainText(certChain.certificates));
    for (const chain of await fetchFulcioChains(url, { dispatcher, signal })) {
      const served = chainText(chain.map((der) => ({ rawBytes: Buffer.from(der).toString('base64') })));
      if (!known.includes(served))
        found.error('online', 'the server issues under a chain that is not trusted now');
    }
  };
}

function askTimestampAuthority(authorities: readonly AuthorityInstance[]): Question {
  return async (options, found) => {
    const [leaf] = await fetchTimestampChain(options);
    const served = Buffer.from(leaf).toString('base64');
    const isKnown = authorities.some(({ certChain }) =>
      certChain.certificates.some(({ rawBytes }) => rawBytes === served),
    );
    if (!isKnown) found.error('online', 'the server signs with a certificate that is not trusted now');
  };
}

function chainText(certificates: readonly { readonly rawBytes: string }[]): string {
  return certificates.map(({ rawBytes }) => rawBytes).join();
}
