import { hash } from 'node:crypto';
import { request } from 'undici';
import type { Dispatcher } from 'undici';
import { readBounded } from '../model/bounded-body.ts';
import { AppError, faultKindOfStatus, fromHttpFault, messageOf } from '../model/errors.ts';
import type { FaultKind } from '../model/errors.ts';
import type { RemotePolicy } from './policy-references.ts';

/** What fetching takes. */
export interface RemotePolicyOptions {
  /** Decides which certificate authorities are trusted, private ones included. */
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
  /** Of the whole fetch with its redirects, in milliseconds; 10 s unless given. */
  readonly deadlineMs?: number;
}

/** As much as a policy could have in a ConfigMap. */
const maxBytes = 1024 * 1024;
const maxRedirects = 5;
const defaultDeadlineMs = 10_000;
const redirects = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches a policy's text over https and compares its SHA-256 with the policy's `sha256sum`; redirects are followed to
 * https alone. Throws ERR_POLICY_REFERENCE: permanent for another content, a refusal, or what is no text; passing where the
 * server cannot be reached or fails.
 */
export async function fetchRemotePolicy(
  { url, sha256sum }: RemotePolicy,
  { dispatcher, signal, deadlineMs = defaultDeadlineMs }: RemotePolicyOptions,
): Promise<string> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const object = shown(url);
  let body: Buffer;
  try {
    body = await fetchBody(url, { dispatcher, signal: deadline });
  } catch (error) {
    signal.throwIfAborted();
    const found = fromHttpFault(error, 'ERR_POLICY_REFERENCE', object);
    if (found.kind !== 'bug') throw found;
    // A certificate that nobody here trusts: for others to mend.
    throw fault(object, messageOf(error), 'Check which certificate authorities are trusted.', 'passing');
  }
  const found = hash('sha256', body);
  if (found !== sha256sum.trim().toLowerCase()) {
    // policy-controller's words.
    const why = `failed to check sha256sum from policy remote: ${sha256sum.slice(0, 128)} got ${found}`;
    throw fault(object, why, 'Read what the address gives now; if it is meant, put its sha256sum there.');
  }
  return textOf(body, object);
}

async function fetchBody(
  url: string,
  options: { readonly dispatcher: Dispatcher; readonly signal: AbortSignal },
): Promise<Buffer> {
  let address = url;
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    const object = shown(requireHttps(address, url));
    const { statusCode, headers, body } = await request(address, { ...options, method: 'GET' });
    const { location } = headers;
    if (redirects.has(statusCode) && typeof location === 'string') {
      await body.dump({ limit: 16_384 });
      address = URL.canParse(location, address) ? new URL(location, address).href : location;
      continue;
    }
    if (statusCode < 200 || statusCode > 299) {
      await body.dump({ limit: 16_384 });
      throw refusal(object, statusCode);
    }
    return readBounded(body, { maxBytes, code: 'ERR_POLICY_REFERENCE', object });
  }
  throw fault(shown(url), `it redirects more than ${maxRedirects} times`, 'Name the final address.');
}

function requireHttps(address: string, origin: string): string {
  const parsed = URL.canParse(address) ? new URL(address) : undefined;
  if (parsed?.protocol === 'https:' && parsed.hostname !== '') return address;
  const why = address === origin ? 'it is no https address' : 'it redirects to what is no https address';
  throw fault(shown(origin), why, 'Name an https address with a host.');
}

function refusal(object: string, status: number): AppError {
  const why = `failed to fetch content from policy url with code ${status}`;
  return fault(object, why, 'Check the address, and that it needs no login.', faultKindOfStatus(status));
}

function textOf(body: Buffer, object: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw fault(object, 'the policy is no UTF-8 text', 'Publish CUE or Rego as text.');
  }
}

/** An address without what may be a secret in it: user, password and query. */
function shown(address: string): string {
  if (!URL.canParse(address)) return 'policy remote';
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`;
}

function fault(object: string, why: string, remedy: string, kind: FaultKind = 'permanent'): AppError {
  return new AppError('ERR_POLICY_REFERENCE', `${object}: ${why}`, { kind, object, remedy });
}
