import { z } from 'zod';
import type { Clock } from '../model/clock.ts';
import { AppError } from '../model/errors.ts';
import type { CallOptions, KubeClient } from './kube-client.ts';
import { resourceTypes } from './resource-type.ts';

/** Whose token to request, and for whom. */
export interface ServiceAccountTokenOptions {
  readonly client: Pick<KubeClient, 'createSubresource'>;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** `sigstore` for Fulcio; absent: the audiences of the API server itself. */
  readonly audience?: string;
  /** Lifetime to ask for; 600 s, the least that the API server gives, if absent. */
  readonly expirationSeconds?: number;
  readonly clock: Clock;
}

/** Gives an identity token; it is a secret. */
export type TokenSource = (options: CallOptions) => Promise<string>;

const answer = z.object({
  status: z.object({ token: z.string().min(1), expirationTimestamp: z.iso.datetime({ offset: true }) }),
});

const usedShare = 0.8;

interface HeldToken {
  readonly token: string;
  readonly renewAtMs: number;
}

/**
 * Tokens of a ServiceAccount by TokenRequest (authentication.k8s.io/v1), for where none is mounted. One token serves
 * until 80 % of its life are over. Calls throw ERR_KUBE_TOKEN for an answer without token, ERR_KUBE_FORBIDDEN without the right
 * to `create` `serviceaccounts/token`.
 */
export function createServiceAccountTokenSource(options: ServiceAccountTokenOptions): TokenSource {
  let held: HeldToken | undefined;
  return async (call) => {
    if (held === undefined || options.clock.now().getTime() >= held.renewAtMs) {
      held = await requestToken(options, call);
    }
    return held.token;
  };
}

async function requestToken(options: ServiceAccountTokenOptions, call: CallOptions): Promise<HeldToken> {
  const { client, namespace, serviceAccount, audience, expirationSeconds = 600, clock } = options;
  const askedAtMs = clock.now().getTime();
  const body = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { ...(audience === undefined ? {} : { audiences: [audience] }), expirationSeconds },
  };
  const ref = { namespace, name: serviceAccount };
  const given = await client.createSubresource(
    resourceTypes.serviceAccounts,
    ref,
    { subresource: 'token', body },
    call,
  );
  const parsed = answer.safeParse(given);
  if (!parsed.success) {
    // the parser's message is left out: it may quote the token
    throw new AppError('ERR_KUBE_TOKEN', `the API server gave no token for ${namespace}/${serviceAccount}`, {
      kind: 'passing',
      object: `${namespace}/${serviceAccount}`,
      remedy: 'Check that the API server issues tokens for this audience (TokenRequest).',
    });
  }
  const { token, expirationTimestamp } = parsed.data.status;
  const lifeMs = Date.parse(expirationTimestamp) - askedAtMs;
  return { token, renewAtMs: askedAtMs + Math.max(0, lifeMs) * usedShare };
}
