import { registryLimits } from './registry-limits.ts';

/** What a registry asks for in `WWW-Authenticate`. */
export type AuthChallenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string };

const tokenAt = /[!#$%&'*+.^`|~\w-]+/y;
const paramAt = /([!#$%&'*+.^`|~\w-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^`|~\w-]+))/y;
const printable = /^[\t\x20-\x7e]*$/;
const gapAt = /[ \t]*(?:,[ \t]*)*/y;

interface RawChallenge {
  readonly scheme: string;
  readonly params: ReadonlyMap<string, string>;
}

/**
 * Parses `WWW-Authenticate` (RFC 9110 section 11.6.1) strictly and gives the challenge to follow: Bearer (distribution's
 * token authentication) before Basic; `undefined` if the header is malformed or asks for something else.
 */
export function parseAuthChallenge(header: string): AuthChallenge | undefined {
  if (header.length > registryLimits.challengeBytes || !printable.test(header)) return undefined;
  const challenges = parseChallenges(header);
  const bearer = challenges?.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'));
  const realm = bearer?.params.get('realm');
  if (realm !== undefined) {
    const service = bearer?.params.get('service');
    return { scheme: 'bearer', realm, ...(service === undefined ? {} : { service }) };
  }
  return challenges?.some(({ scheme }) => scheme === 'basic') === true ? { scheme: 'basic' } : undefined;
}

function parseChallenges(header: string): RawChallenge[] | undefined {
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  let at = skip(header, 0);
  while (at < header.length) {
    const param = match(paramAt, header, at);
    const current = challenges.at(-1);
    if (param !== undefined && current !== undefined) {
      const name = (param[1] ?? '').toLowerCase();
      if (current.params.has(name)) return undefined;
      current.params.set(name, param[2]?.replaceAll(/\\(.)/g, '$1') ?? param[3] ?? '');
      at = skip(header, at + param[0].length);
      continue;
    }
    const scheme = param === undefined ? match(tokenAt, header, at) : undefined;
    if (scheme === undefined) return undefined;
    challenges.push({ scheme: scheme[0].toLowerCase(), params: new Map() });
    at = skip(header, at + scheme[0].length);
  }
  return challenges;
}

function skip(header: string, at: number): number {
  return at + (match(gapAt, header, at)?.[0].length ?? 0);
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
