import { X509Certificate, hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../model/clock.ts';
import { messageOf } from '../../model/errors.ts';
import { parsePublicKey } from '../../policy/public-key.ts';
import { listPemCertificates } from '../../policy/trusted-keys.ts';
import { fetchFulcioChains } from '../../signing/fulcio-trust-bundle.ts';
import { toAuthorityInstance, toLogInstance } from '../../signing/trusted-root-document.ts';
import type { AuthorityInstance, LogInstance, Validity } from '../../signing/trusted-root-document.ts';
import { fetchRekorKey, fetchTimestampChain } from '../../transparency/published-keys.ts';
import { usageFault } from '../policy/usage-fault.ts';
import type { Dispatchers } from '../wiring/dispatchers.ts';
import { readInput } from '../wiring/input-file.ts';
import { formatTime } from './service-spec.ts';
import type { ServiceSpec } from './service-spec.ts';

/** What getting keys and certificates takes. */
export interface MaterialParts {
  readonly dispatchers: Dispatchers;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told what was believed on the word of a server alone. */
  readonly notice: (text: string) => void;
  /** When a service without a start time begins to count; absent: as cosign has it. */
  readonly defaultStart?: string;
}

type Chain = readonly [Uint8Array, ...Uint8Array[]];

const beginning = '1970-01-01T00:00:00Z';

/** The log of a `--rekor` or `--ctfe`, with the key in its file, or that which a running Rekor v1 names. */
export async function readLog(spec: ServiceSpec, parts: MaterialParts): Promise<LogInstance> {
  const { kind, url, publicKey, origin } = spec;
  const key = publicKey === undefined ? await askForKey(spec, parts) : await readKey(publicKey, parts);
  return toLogInstance({
    baseUrl: url,
    key,
    validFor: validityOf(spec, parts.defaultStart ?? beginning),
    ...(kind === 'rekor' && origin !== undefined ? { origin } : {}),
  });
}

/** The authorities of a `--fulcio`: the chain in its file, or each of those that the running Fulcio names. */
export async function readAuthorities(
  spec: ServiceSpec,
  parts: MaterialParts,
): Promise<readonly AuthorityInstance[]> {
  const { url, certificateChain } = spec;
  const chains =
    certificateChain === undefined
      ? await fetchFulcioChains(url, { dispatcher: dispatcherFor(url, parts), signal: parts.signal })
      : [await readChain(certificateChain, parts)];
  if (certificateChain === undefined) tellOfChains(url, chains, parts);
  return chains.map((chain) => toAuthority(spec, chain, chain.at(-1) ?? chain[0], parts));
}

/** The timestamp authority of a `--tsa`: the chain in its file, or that which the running server names. */
export async function readTimestampAuthority(
  spec: ServiceSpec,
  parts: MaterialParts,
): Promise<AuthorityInstance> {
  const { url, certificateChain } = spec;
  const { clock, signal } = parts;
  const chain =
    certificateChain === undefined
      ? await fetchTimestampChain({ url, dispatcher: dispatcherFor(url, parts), clock, signal })
      : await readChain(certificateChain, parts);
  if (certificateChain === undefined) tellOfChains(url, [chain], parts);
  return toAuthority(spec, chain, chain[0], parts);
}

/** Without a start time it counts from when this certificate does, as cosign has it. */
function toAuthority(
  spec: ServiceSpec,
  certificates: Chain,
  starting: Uint8Array,
  { defaultStart }: MaterialParts,
): AuthorityInstance {
  const start = defaultStart ?? formatTime(new X509Certificate(starting).validFromDate);
  return toAuthorityInstance({ uri: spec.url, certificates, validFor: validityOf(spec, start) });
}

function validityOf({ startTime, endTime }: ServiceSpec, start: string): Validity {
  return { start: startTime ?? start, ...(endTime === undefined ? {} : { end: endTime }) };
}

async function askForKey({ kind, url, origin }: ServiceSpec, parts: MaterialParts): Promise<KeyObject> {
  if (kind === 'ctfe' || origin !== undefined) {
    throw usageFault(
      `--${kind} ${url}: the server does not tell its key`,
      'Add public-key=FILE with the key that its operator published.',
    );
  }
  const { clock, signal } = parts;
  const key = await fetchRekorKey({ url, dispatcher: dispatcherFor(url, parts), clock, signal });
  const fingerprint = hash('sha256', key.export({ format: 'der', type: 'spki' }));
  parts.notice(
    `${url} says that its key has the SHA-256 ${fingerprint}: compare it with what its operator published`,
  );
  return key;
}

function tellOfChains(url: string, chains: readonly Chain[], { notice }: MaterialParts): void {
  for (const chain of chains) {
    const root = hash('sha256', chain.at(-1) ?? chain[0]);
    notice(`${url} says that its root has the SHA-256 ${root}: compare it with what its operator published`);
  }
}

async function readKey(file: string, { signal }: MaterialParts): Promise<KeyObject> {
  const key = parsePublicKey(await readInput(file, { signal }));
  if (key === undefined) throw usageFault(`${file} holds no public key`, 'Give the log’s public key in PEM.');
  return key;
}

async function readChain(file: string, { signal }: MaterialParts): Promise<Chain> {
  const [first, ...others] = listPemCertificates(await readInput(file, { signal }));
  try {
    if (first === undefined) throw new Error('there is none');
    for (const der of [first, ...others]) new X509Certificate(der);
    return [first, ...others];
  } catch (error) {
    throw usageFault(
      `${file} holds no certificates that can be read: ${messageOf(error)}`,
      'Give the chain in PEM, the root last.',
    );
  }
}

function dispatcherFor(url: string, { dispatchers }: MaterialParts): ReturnType<Dispatchers['for']> {
  return dispatchers.for(new URL(url).host);
}
