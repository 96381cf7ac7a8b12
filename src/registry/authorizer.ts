import { LRUCache } from 'lru-cache';
import { isAppError } from '../model/errors.ts';
import { deadlines } from '../model/limits.ts';
import { formatRepository } from '../model/image-reference.ts';
import { parseAuthChallenge } from './auth-challenge.ts';
import { credentialsFingerprint } from './credentials.ts';
import { accessDenied } from './registry-faults.ts';
import { registryLimits, registryTimes } from './registry-limits.ts';
import { withSignal } from './shared-wait.ts';
import { basicHeader, requestToken } from './token-service.ts';
import type { Clock } from '../model/clock.ts';
import type { Repository } from '../model/image-reference.ts';
import type { AuthChallenge } from './auth-challenge.ts';
import type { Credentials, CredentialSource } from './credentials.ts';
import type { HttpSender } from './http-sender.ts';
import type { CallOptions } from './image-store.ts';
import type { BearerToken, TokenRequest } from './token-service.ts';

/** Reading, or reading and writing. */
export type Access = 'pull' | 'push';

/** What a call needs rights for. */
export interface AccessTarget {
  readonly repository: Repository;
  readonly access: Access;
}

/** A refusal by a registry. */
export interface Rejection {
  readonly status: number;
  /** The `WWW-Authenticate` header. */
  readonly challenge: string | undefined;
  /** The `Authorization` header that was refused. */
  readonly sent: string | undefined;
}

/**
 * What was learnt about authentication, shared by all users of one transport: each registry's challenge, and tokens by
 * the fingerprint of the credentials that they were given for, so that nobody gets a token of credentials not his own.
 */
export class AuthMemory {
  readonly challenges = new LRUCache<string, AuthChallenge>({
    max: registryLimits.rememberedHosts,
    ttl: registryTimes.memoryMs,
  });
  readonly #tokens = new LRUCache<string, Promise<BearerToken>>({ max: registryLimits.tokens });
  readonly #sender: HttpSender;
  readonly #clock: Clock;

  constructor(sender: HttpSender, clock: Clock) {
    this.#sender = sender;
    this.#clock = clock;
  }

  /** A token that is still usable; asked for once, however many wait for it. */
  async token(request: TokenRequest, options: CallOptions): Promise<string> {
    const key = tokenKey(request);
    const cached = this.#tokens.get(key);
    const known =
      cached === undefined
        ? undefined
        : await withSignal(
            cached.catch(() => undefined),
            options.signal,
          );
    if (known !== undefined && known.expiresAt > this.#clock.now()) return known.value;
    // Somebody else may have asked anew while we looked.
    const pending = this.#tokens.get(key);
    const isNew = pending !== undefined && pending !== cached;
    const fresh = isNew ? pending : this.#request(key, request);
    return (await withSignal(fresh, options.signal)).value;
  }

  /** Forgets a token that the registry refused. */
  forget(request: TokenRequest): void {
    this.#tokens.delete(tokenKey(request));
  }

  #request(key: string, request: TokenRequest): Promise<BearerToken> {
    const signal = AbortSignal.timeout(deadlines.registryMs);
    const asked = requestToken(this.#sender, this.#clock, request, { signal });
    this.#tokens.set(key, asked);
    asked.catch(() => {
      if (this.#tokens.peek(key) === asked) this.#tokens.delete(key);
    });
    return asked;
  }
}

function tokenKey({ challenge, scope, credentials }: TokenRequest): string {
  return JSON.stringify([
    challenge.realm,
    challenge.service ?? '',
    scope,
    credentialsFingerprint(credentials),
  ]);
}

/** The credentials under trial for one repository and access. */
interface Trial {
  /** Ends with `undefined`: anonymous access. */
  readonly candidates: readonly (Credentials | undefined)[];
  at: number;
  /** True once a refused token was replaced by a fresh one for the present candidate. */
  refreshed: boolean;
  /** The header given out last; absent after a change, so that calls under way do not advance twice. */
  given?: { readonly header: string | undefined } | undefined;
}

/**
 * Gives the `Authorization` header for calls with one set of credentials: follows challenges, caches tokens, and goes
 * on to the next credentials when some are denied. Nothing is asked of the registry besides the calls themselves.
 */
export class Authorizer {
  readonly #memory: AuthMemory;
  readonly #source: CredentialSource;
  readonly #isPlainHttpAllowed: (host: string) => boolean;
  readonly #trials = new LRUCache<string, Trial>({
    max: registryLimits.rememberedRepositories,
    ttl: registryTimes.credentialsMs,
  });

  constructor(memory: AuthMemory, source: CredentialSource, isPlainHttpAllowed: (host: string) => boolean) {
    this.#memory = memory;
    this.#source = source;
    this.#isPlainHttpAllowed = isPlainHttpAllowed;
  }

  /** The header to send, `undefined` for none. Throws ERR_REGISTRY_DENIED when all credentials were refused. */
  async headerFor(target: AccessTarget, options: CallOptions): Promise<string | undefined> {
    const challenge = this.#memory.challenges.get(target.repository.registry);
    if (challenge === undefined) return undefined;
    const trial = await this.#trial(target, options);
    for (;;) {
      try {
        const header = await this.#header(challenge, trial.candidates[trial.at], target, options);
        trial.given = { header };
        return header;
      } catch (error) {
        if (!isDenied(error) || !this.#advance(trial)) throw this.#giveUp(target, error);
      }
    }
  }

  /** Learns from a refusal; true if the call is worth another try. */
  async learn(target: AccessTarget, rejection: Rejection, options: CallOptions): Promise<boolean> {
    const { registry } = target.repository;
    const known = this.#memory.challenges.get(registry);
    const asked = rejection.status === 401 ? parseAuthChallenge(rejection.challenge ?? '') : undefined;
    if (asked !== undefined && !sameChallenge(asked, known)) {
      this.#memory.challenges.set(registry, asked);
      return true;
    }
    if (known === undefined) return false;
    const trial = await this.#trial(target, options);
    if (trial.given === undefined || trial.given.header !== rejection.sent) return true;
    const candidate = trial.candidates[trial.at];
    if (rejection.status === 401 && known.scheme === 'bearer' && !trial.refreshed) {
      // It may have expired early or been revoked.
      this.#memory.forget(this.#tokenRequest(known, candidate, target));
      trial.refreshed = true;
      trial.given = undefined;
      return true;
    }
    if (this.#advance(trial)) return true;
    this.#trials.delete(trialKey(target));
    return false;
  }

  /** Notes that the credentials in use are good. */
  accept(target: AccessTarget): void {
    const trial = this.#trials.get(trialKey(target));
    if (trial !== undefined) trial.refreshed = false;
  }

  async #trial(target: AccessTarget, options: CallOptions): Promise<Trial> {
    const key = trialKey(target);
    const known = this.#trials.get(key);
    if (known !== undefined) return known;
    const found = await this.#source.find(target.repository, options);
    const candidates = [...found.slice(0, registryLimits.credentials), undefined];
    const trial = this.#trials.get(key) ?? { candidates, at: 0, refreshed: false };
    this.#trials.set(key, trial);
    return trial;
  }

  #advance(trial: Trial): boolean {
    if (trial.at + 1 >= trial.candidates.length) return false;
    trial.at += 1;
    trial.refreshed = false;
    trial.given = undefined;
    return true;
  }

  async #header(
    challenge: AuthChallenge,
    candidate: Credentials | undefined,
    target: AccessTarget,
    options: CallOptions,
  ): Promise<string | undefined> {
    if (candidate?.kind === 'registry-token') return `Bearer ${candidate.token}`;
    if (challenge.scheme === 'basic') return candidate?.kind === 'basic' ? basicHeader(candidate) : undefined;
    const request = this.#tokenRequest(challenge, candidate, target);
    return `Bearer ${await this.#memory.token(request, options)}`;
  }

  #tokenRequest(
    challenge: Extract<AuthChallenge, { scheme: 'bearer' }>,
    credentials: Credentials | undefined,
    { repository, access }: AccessTarget,
  ): TokenRequest {
    return {
      challenge,
      credentials,
      access,
      scope: `repository:${repository.path}:${access === 'push' ? 'pull,push' : 'pull'}`,
      plainHttpAllowed: this.#isPlainHttpAllowed(repository.registry),
    };
  }

  #giveUp(target: AccessTarget, error: unknown): unknown {
    this.#trials.delete(trialKey(target));
    return isDenied(error) ? accessDenied(formatRepository(target.repository), target.access, '') : error;
  }
}

function trialKey({ repository, access }: AccessTarget): string {
  return `${access} ${formatRepository(repository)}`;
}

function sameChallenge(a: AuthChallenge, b: AuthChallenge | undefined): boolean {
  if (a.scheme === 'basic' || b?.scheme !== 'bearer') return a.scheme === b?.scheme;
  return a.realm === b.realm && a.service === b.service;
}

function isDenied(error: unknown): boolean {
  return isAppError(error) && error.code === 'ERR_REGISTRY_DENIED';
}
