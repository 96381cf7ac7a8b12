import { Option } from 'commander';
import { usageFault } from '../policy/usage-fault.ts';

/** A kind of service that a trust root or a signing configuration names. */
export type ServiceKind = 'fulcio' | 'rekor' | 'ctfe' | 'tsa' | 'oidc-provider';

/** One service as the command line describes it. */
export interface ServiceSpec {
  readonly kind: ServiceKind;
  readonly url: string;
  /** Files; without them the running server is asked. */
  readonly certificateChain?: string;
  readonly publicKey?: string;
  /** RFC 3339. */
  readonly startTime?: string;
  readonly endTime?: string;
  readonly origin?: string;
  readonly apiVersion?: number;
  readonly operator?: string;
}

const common = ['url', 'start-time', 'end-time', 'api-version', 'operator'];
const keysOf: Readonly<Record<ServiceKind, readonly string[]>> = {
  fulcio: [...common, 'certificate-chain'],
  tsa: [...common, 'certificate-chain'],
  rekor: [...common, 'public-key', 'origin'],
  // cosign allows an origin here as well, and makes nothing of it: a certificate log is known by its key.
  ctfe: [...common, 'public-key', 'origin'],
  'oidc-provider': common,
};
const maxLength = 4096;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Reads a service in cosign's way of writing it: `url=https://…,public-key=FILE,start-time=…`. Unlike cosign it refuses
 * names that it does not know, and names that come twice. Throws ERR_USAGE_FLAGS.
 */
export function parseServiceSpec(kind: ServiceKind, text: string): ServiceSpec {
  const values = readPairs(kind, text);
  const url = values.get('url') ?? '';
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw specFault(kind, text, 'its url is no http or https URL');
  }
  const apiVersion = values.get('api-version');
  if (apiVersion !== undefined && !/^[1-9]\d?$/.test(apiVersion)) {
    throw specFault(kind, text, 'its api-version is no whole number');
  }
  const startTime = timeIn(values, 'start-time', kind);
  const endTime = timeIn(values, 'end-time', kind);
  return {
    kind,
    url,
    ...given('certificateChain', values.get('certificate-chain')),
    ...given('publicKey', values.get('public-key')),
    ...given('startTime', startTime),
    ...given('endTime', endTime),
    ...given('origin', values.get('origin')),
    ...given('operator', values.get('operator')),
    ...(apiVersion === undefined ? {} : { apiVersion: Number(apiVersion) }),
  };
}

/** A flag that takes one service each time it is given. */
export function serviceOption(kind: ServiceKind): Option {
  return new Option(`--${kind} <spec>`, `${keysOf[kind].join('=,')}=`)
    .default([], 'none')
    .argParser((text: string, before: unknown): readonly ServiceSpec[] => [
      ...(before as readonly ServiceSpec[]),
      parseServiceSpec(kind, text),
    ]);
}

function readPairs(kind: ServiceKind, text: string): ReadonlyMap<string, string> {
  if (text.length > maxLength) throw specFault(kind, text, 'it is too long');
  const values = new Map<string, string>();
  for (const pair of text.split(',')) {
    const [name = '', ...rest] = pair.split('=').map((part) => part.trim());
    const value = rest.join('=');
    if (!keysOf[kind].includes(name)) {
      throw specFault(kind, text, `"${name === '' ? pair : name}" is none of ${keysOf[kind].join(', ')}`);
    }
    if (value === '') throw specFault(kind, text, `${name} is empty`);
    if (values.has(name)) throw specFault(kind, text, `${name} comes twice`);
    values.set(name, value);
  }
  return values;
}

function timeIn(values: ReadonlyMap<string, string>, name: string, kind: ServiceKind): string | undefined {
  const text = values.get(name);
  return text === undefined ? undefined : parseTime(text, `${name} of --${kind}`);
}

/** A time as RFC 3339 writes it, in UTC and as protobuf writes it. Throws ERR_USAGE_FLAGS. */
export function parseTime(text: string, what: string): string {
  if (!time.test(text) || Number.isNaN(Date.parse(text))) {
    throw usageFault(`${what}: "${text.slice(0, 80)}" is no time`, 'Write it as 2026-01-31T00:00:00Z.');
  }
  return formatTime(new Date(text));
}

/** As protobuf writes a time. */
export function formatTime(at: Date): string {
  return at.toISOString().replace('.000Z', 'Z');
}

function given<Name extends string>(
  name: Name,
  value: string | undefined,
): Partial<Readonly<Record<Name, string>>> {
  return value === undefined ? {} : ({ [name]: value } as Readonly<Record<Name, string>>);
}

function specFault(kind: ServiceKind, text: string, why: string): Error {
  return usageFault(
    `--${kind} "${text.slice(0, 200)}": ${why}`,
    `Write it as url=https://…, and any of ${keysOf[kind].slice(1).join(', ')}, separated by commas.`,
  );
}
