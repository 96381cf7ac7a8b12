import { z } from 'zod';
import { AppError, messageOf } from '../model/errors.ts';
import { parseStrictJson } from '../statements/strict-json.ts';
import { signingConfigSchema } from './signing-config.ts';
import type { ServiceSelection, SigningConfigDocument, SigningService } from './signing-config.ts';
import { boundsOf, stateAt } from './validity-check.ts';

const maxBytes = 1024 * 1024;
const address = z.url({ protocol: /^https?$/ });

/**
 * The signing configuration in a `signing_config.json` v0.2, to sign by: members that nobody knows are refused, as
 * sigstore-go refuses them. Throws ERR_SIGNING_CONFIG; `object` is named in the message.
 */
export function parseSigningConfig(text: string, object: string): SigningConfigDocument {
  const json = parseStrictJson(Buffer.from(text), maxBytes);
  if ('fault' in json) throw refuse(object, json.fault);
  const parsed = signingConfigSchema.safeParse(json.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refuse(object, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, parsed.error);
  }
  const { caUrls, rekorTlogUrls, tsaUrls } = parsed.data;
  for (const { url } of [...caUrls, ...rekorTlogUrls, ...tsaUrls]) {
    const checked = address.safeParse(url);
    if (!checked.success)
      throw refuse(object, `"${url.slice(0, 200)}": ${messageOf(checked.error.issues[0])}`);
  }
  return parsed.data;
}

/** What a choice is made by. */
export interface ServiceChoice {
  /** API versions that we speak. */
  readonly versions: readonly number[];
  readonly selection: ServiceSelection;
  readonly at: Date;
  /** As Math.random. */
  readonly random: () => number;
}

/**
 * The services to use, as the specification has it (protobuf-specs, sigstore_trustroot.proto, `Service`): of the highest
 * API version that we speak alone, valid now, the newest of each operator; then all, any, or an exact number of them.
 * Throws ERR_SIGNING_CONFIG_SERVICE (passing: time or the author of the file mends it).
 */
export function chooseServices(
  all: readonly SigningService[],
  { versions, selection: { selector, count = 0 }, at, random }: ServiceChoice,
): readonly SigningService[] {
  const candidates = newestOfOperators(all, versions, at);
  if (candidates.length === 0) {
    throw tooFew(`no service of API version ${versions.join(' or ')} is valid at ${at.toISOString()}`);
  }
  if (selector === 'ALL') return candidates;
  if (selector === undefined) throw tooFew('it is not said how many are used');
  const wanted = selector === 'ANY' ? 1 : count;
  if (wanted === 0 || wanted > candidates.length) {
    throw tooFew(`${wanted} are asked for, and ${candidates.length} operators have a valid one`);
  }
  return drawn(candidates, wanted, random);
}

function newestOfOperators(
  all: readonly SigningService[],
  versions: readonly number[],
  at: Date,
): readonly SigningService[] {
  for (const version of versions.toSorted((a, b) => b - a)) {
    const valid = all
      .filter((one) => one.majorApiVersion === version && stateAt(one.validFor, at) === 'current')
      // Both may be without a start, and the difference of two infinities is no number.
      .toSorted((a, b) => boundsOf(b.validFor).start - boundsOf(a.validFor).start || 0);
    if (valid.length > 0) {
      return valid.filter(
        ({ operator }, index) => valid.findIndex((other) => other.operator === operator) === index,
      );
    }
  }
  return [];
}

function drawn<Item>(items: readonly Item[], count: number, random: () => number): readonly Item[] {
  const left = [...items];
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)).flat();
}

function refuse(object: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_SIGNING_CONFIG', `${object} cannot be used as signing configuration: ${why}`, {
    kind: 'permanent',
    object,
    remedy:
      'Give a signing_config.json v0.2; "chainwright trust-root verify" tells all that is wrong with it.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function tooFew(why: string): AppError {
  return new AppError(
    'ERR_SIGNING_CONFIG_SERVICE',
    `the signing configuration names too few services: ${why}`,
    {
      kind: 'passing',
      remedy: 'Correct validFor, operators or the count in the signing configuration; it is read again.',
    },
  );
}
