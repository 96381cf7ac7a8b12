import { writeFile } from 'node:fs/promises';
import { AppError, messageOf } from '../../model/errors.ts';
import { formatSigningConfig } from '../../signing/signing-config.ts';
import type { ServiceSelection, SigningService } from '../../signing/signing-config.ts';
import { checkTrustedRoot } from '../../signing/trusted-root-check.ts';
import { formatTrustedRoot } from '../../signing/trusted-root-document.ts';
import type { TrustedRootDocument } from '../../signing/trusted-root-document.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { formatFinding } from './finding-text.ts';
import type { ServiceSpec } from './service-spec.ts';
import { readAuthorities, readLog, readTimestampAuthority } from './trust-material.ts';
import type { MaterialParts } from './trust-material.ts';
import { formatTrustRootObject } from './trust-root-object.ts';

/** The services that `create` and `add` take. */
export interface ServiceFlags {
  readonly fulcio: readonly ServiceSpec[];
  readonly rekor: readonly ServiceSpec[];
  readonly ctfe: readonly ServiceSpec[];
  readonly tsa: readonly ServiceSpec[];
}

/** Where results go. */
export interface OutputFlags {
  readonly out?: string;
  readonly object?: string;
  readonly name: string;
}

/** The four lists of a trust root. */
export type TrustLists = Omit<TrustedRootDocument, 'mediaType'>;

/** The services of the flags, from files or running servers. */
export async function readServices(flags: ServiceFlags, parts: MaterialParts): Promise<TrustLists> {
  return {
    tlogs: await Promise.all(flags.rekor.map((spec) => readLog(spec, parts))),
    ctlogs: await Promise.all(flags.ctfe.map((spec) => readLog(spec, parts))),
    certificateAuthorities: (
      await Promise.all(flags.fulcio.map((spec) => readAuthorities(spec, parts)))
    ).flat(),
    timestampAuthorities: await Promise.all(flags.tsa.map((spec) => readTimestampAuthority(spec, parts))),
  };
}

/**
 * Requires that a trust root which is about to be written has no fault; what is hardly meant is told. Throws
 * ERR_TRUST_ROOT with every fault.
 */
export function requireSound(document: TrustedRootDocument, now: Date): void {
  const findings = checkTrustedRoot(document, now);
  for (const one of findings.filter(({ severity }) => severity === 'warning')) {
    process.stderr.write(`${formatFinding(one)}\n`);
  }
  const faults = findings.filter(({ severity }) => severity === 'error').map(formatFinding);
  if (faults.length === 0) return;
  throw new AppError('ERR_TRUST_ROOT', `the trust root would be of no use:\n  ${faults.join('\n  ')}`, {
    kind: 'permanent',
    remedy: 'Correct the services; nothing was written.',
  });
}

/** Writes the trust root, and the TrustRoot object if one is wanted. */
export async function writeResults(document: TrustedRootDocument, flags: OutputFlags): Promise<void> {
  const { out, object, name } = flags;
  if (object !== undefined) {
    const { text, hasEnds } = formatTrustRootObject(document, name);
    if (hasEnds) {
      process.stderr.write(
        'WARNING: a TrustRoot object has no validities: in it keys that ended count for ever\n',
      );
    }
    await write(object, text);
  }
  if (out !== undefined) await write(out, formatTrustedRoot(document));
  else if (object === undefined) process.stdout.write(formatTrustedRoot(document));
}

/** The signing configuration that names the same services. */
export function signingConfigOf(
  flags: ServiceFlags & { readonly oidcProvider: readonly ServiceSpec[] },
  selections: { readonly rekorConfig: string; readonly tsaConfig: string },
): string {
  const { fulcio, rekor, tsa, oidcProvider } = flags;
  return formatSigningConfig({
    caUrls: fulcio.map((spec) => toService(spec)),
    oidcUrls: oidcProvider.map((spec) => toService(spec)),
    rekorTlogUrls: rekor.map((spec) => toService(spec, spec.origin === undefined ? 1 : 2)),
    rekorTlogConfig: rekor.length === 0 ? {} : parseSelection(selections.rekorConfig, '--rekor-config'),
    tsaUrls: tsa.map((spec) => toService({ ...spec, url: withQueryPath(spec.url) })),
    tsaConfig: tsa.length === 0 ? {} : parseSelection(selections.tsaConfig, '--tsa-config'),
  });
}

/** Writes a file. Throws ERR_USAGE_OUTPUT. */
export async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new AppError('ERR_USAGE_OUTPUT', `${file} cannot be written: ${messageOf(error)}`, {
      kind: 'permanent',
      object: file,
      remedy: 'Name a file in a folder that you may write to.',
      cause: error,
    });
  }
}

function toService(
  { url, startTime, endTime, operator, apiVersion }: ServiceSpec,
  version = 1,
): SigningService {
  return {
    url,
    majorApiVersion: apiVersion ?? version,
    validFor: {
      start: startTime ?? '1970-01-01T00:00:00Z',
      ...(endTime === undefined ? {} : { end: endTime }),
    },
    operator: operator ?? new URL(url).hostname,
  };
}

/** Signers take the whole address that timestamp queries are sent to. */
function withQueryPath(url: string): string {
  return new URL(url).pathname === '/' ? new URL('/api/v1/timestamp', url).href : url;
}

function parseSelection(text: string, flag: string): ServiceSelection {
  const [, selector = '', count] = /^(ANY|ALL|EXACT)(?::([1-9]\d?))?$/i.exec(text) ?? [];
  const name = selector.toUpperCase();
  if (name === 'EXACT' && count !== undefined) return { selector: name, count: Number(count) };
  if ((name === 'ANY' || name === 'ALL') && count === undefined) return { selector: name };
  throw usageFault(`${flag} "${text.slice(0, 80)}" is no choice`, 'Write ANY, ALL or EXACT:COUNT.');
}
