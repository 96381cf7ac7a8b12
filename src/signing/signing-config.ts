import { z } from 'zod';
import { findingsAt } from './trust-finding.ts';
import type { FindingsAt, TrustFinding } from './trust-finding.ts';
import type { TrustedRootDocument } from './trusted-root-document.ts';
import { validitySchema } from './trusted-root-document.ts';
import { checkValidity, stateAt } from './validity-check.ts';

const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json';
const maxServices = 100;

const service = z.strictObject({
  url: z.string().max(1024),
  majorApiVersion: z.int().min(1).max(100),
  validFor: validitySchema.exactOptional(),
  operator: z.string().max(1024).exactOptional(),
});
const services = z.array(service).max(maxServices).default([]);
const selection = z.strictObject({
  selector: z.enum(['ALL', 'ANY', 'EXACT']).exactOptional(),
  count: z.int().min(0).max(maxServices).exactOptional(),
});

/** Shape of a `signing_config.json` v0.2 (protobuf-specs, sigstore_trustroot.proto, `SigningConfig`) without unknown fields. */
export const signingConfigSchema = z.strictObject({
  mediaType: z.literal(mediaType),
  caUrls: services,
  oidcUrls: services,
  rekorTlogUrls: services,
  rekorTlogConfig: selection.default({}),
  tsaUrls: services,
  tsaConfig: selection.default({}),
});

export type SigningConfigDocument = z.output<typeof signingConfigSchema>;
export type SigningService = z.output<typeof service>;
export type ServiceSelection = z.output<typeof selection>;

const lists = ['caUrls', 'oidcUrls', 'rekorTlogUrls', 'tsaUrls'] as const;

/** The text of a signing configuration, newest services first, as its readers want them. */
export function formatSigningConfig(config: Omit<SigningConfigDocument, 'mediaType'>): string {
  const startOf = ({ validFor }: SigningService): number =>
    Date.parse(validFor?.start ?? '1970-01-01T00:00:00Z');
  const newestFirst = (list: readonly SigningService[]): SigningService[] =>
    list.toSorted((a, b) => startOf(b) - startOf(a));
  const document: SigningConfigDocument = {
    mediaType,
    caUrls: newestFirst(config.caUrls),
    oidcUrls: newestFirst(config.oidcUrls),
    rekorTlogUrls: newestFirst(config.rekorTlogUrls),
    rekorTlogConfig: config.rekorTlogConfig,
    tsaUrls: newestFirst(config.tsaUrls),
    tsaConfig: config.tsaConfig,
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

/**
 * What is wrong with a signing configuration whose shape is right: services that cannot be used, choices that cannot be
 * met, and, with a trust root, services whose signatures it would not verify. Pure.
 */
export function checkSigningConfig(
  config: SigningConfigDocument,
  { now, trustedRoot }: { readonly now: Date; readonly trustedRoot?: TrustedRootDocument | undefined },
): readonly TrustFinding[] {
  const findings: TrustFinding[] = [];
  const at = (where: string): FindingsAt => findingsAt(findings, where);
  for (const list of lists) {
    config[list].forEach((one, index) => {
      checkService(one, at(`${list}[${index}]`));
    });
    const isCurrent = ({ validFor }: SigningService): boolean => stateAt(validFor, now) === 'current';
    if (config[list].length > 0 && !config[list].some(isCurrent)) {
      at(list).error('coverage', 'none of them counts now: nothing can be signed');
    }
  }
  checkSelection(config.rekorTlogConfig, config.rekorTlogUrls, at('rekorTlogConfig'));
  checkSelection(config.tsaConfig, config.tsaUrls, at('tsaConfig'));
  if (config.rekorTlogUrls.length + config.tsaUrls.length === 0) {
    at('rekorTlogUrls').warning(
      'coverage',
      'neither a log nor a timestamp authority: nothing tells when was signed',
    );
  }
  const isLoggedInV2Only = config.rekorTlogUrls.every(({ majorApiVersion }) => majorApiVersion >= 2);
  if (config.rekorTlogUrls.length > 0 && isLoggedInV2Only && config.tsaUrls.length === 0) {
    at('tsaUrls').error('coverage', 'Rekor v2 signs no time: a timestamp authority is needed');
  }
  if (trustedRoot !== undefined) checkTrusted(config, trustedRoot, at);
  return findings;
}

function checkService({ url, validFor, operator = '' }: SigningService, found: FindingsAt): void {
  const isUrl = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  if (!isUrl) found.error('url', `"${url.slice(0, 200)}" is no http or https URL`);
  if (validFor?.start === undefined) found.warning('validity', 'it has no start');
  if (operator === '') found.warning('operator', 'it has no operator: of all such services one is chosen');
  checkValidity(validFor, found);
}

function checkSelection(
  { selector, count = 0 }: ServiceSelection,
  list: readonly SigningService[],
  found: FindingsAt,
): void {
  if (list.length > 0 && selector === undefined) found.error('selector', 'it is not said how many are used');
  if (selector !== 'EXACT') return;
  const operators = new Set(list.map(({ operator = '' }) => operator)).size;
  if (count < 1 || count > operators) {
    found.error(
      'selector',
      `${count} services of different operators are wanted, and there are ${operators}`,
    );
  }
}

function checkTrusted(
  { caUrls, rekorTlogUrls, tsaUrls }: SigningConfigDocument,
  { certificateAuthorities, tlogs, timestampAuthorities }: TrustedRootDocument,
  at: (where: string) => FindingsAt,
): void {
  const hosts = (urls: readonly string[]): ReadonlySet<string> => new Set(urls.map(hostOf));
  const known = {
    caUrls: [caUrls, hosts(certificateAuthorities.map(({ uri = '' }) => uri))],
    rekorTlogUrls: [rekorTlogUrls, hosts(tlogs.map(({ baseUrl }) => baseUrl))],
    tsaUrls: [tsaUrls, hosts(timestampAuthorities.map(({ uri = '' }) => uri))],
  } as const;
  for (const [list, [used, trusted]] of Object.entries(known)) {
    used.forEach(({ url }, index) => {
      if (trusted.has(hostOf(url))) return;
      at(`${list}[${index}]`).error('untrusted', `the trust root holds nothing of ${hostOf(url)}`);
    });
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
