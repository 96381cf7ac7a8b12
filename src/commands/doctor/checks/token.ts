import { createServiceAccountTokenSource } from '../../../kube/service-account-token.ts';
import { messageOf } from '../../../model/errors.ts';
import { readTokenClaims } from '../../../signing/identity-token.ts';
import { tokenSource } from '../../wiring/signer.ts';
import { fieldOf, isForbidden } from '../cluster-objects.ts';
import { getJson } from '../http-answer.ts';
import type { Check, SigningParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

/** The controller's identity token: issuer, the issuer's own word, audiences. */
export const tokenCheck: Check = {
  name: 'token',
  needs: 'settings',
  look: async (parts) => {
    const { settings, signal } = parts;
    if (settings.signer.type !== 'keyless') return [];
    const token = await (await tokenSource(parts)).fetch({ signal });
    const { issuer } = readTokenClaims(token);
    const { issuer: expected } = settings.signer.fulcio;
    const object = `issuer ${issuer}`;
    return [
      ...(expected === undefined || expected === issuer
        ? []
        : [{ id: 'issuer-mismatch', object, message: `signer.fulcio.issuer is ${expected}` } as const]),
      ...(await readIssuer(issuer, parts)),
      ...(await defaultAudience(parts)),
    ];
  },
};

async function readIssuer(
  issuer: string,
  { dispatchers, signal }: SigningParts,
): Promise<readonly Discovery[]> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const unreadable = (message: string): readonly Discovery[] => [
    { id: 'issuer-unreadable', object: address, message },
  ];
  if (!URL.canParse(address)) return unreadable('the issuer is no address');
  try {
    const configuration = await getJson(address, {
      dispatcher: dispatchers.for(new URL(address).host),
      signal,
    });
    const said = fieldOf(configuration, 'issuer');
    return said === issuer ? [] : unreadable(`it is of the issuer ${String(said).slice(0, 200)}`);
  } catch (error) {
    signal.throwIfAborted();
    return unreadable(messageOf(error));
  }
}

/** What a Pod's default token is good for: all audiences of the API server. */
async function defaultAudience(parts: SigningParts): Promise<readonly Discovery[]> {
  const { client, account, settings, clock, signal } = parts;
  const { audience } = settings.signer.fulcio;
  try {
    const { namespace, name: serviceAccount } = account;
    const tokens = createServiceAccountTokenSource({ client, namespace, serviceAccount, clock });
    const { audience: audiences } = readTokenClaims(await tokens({ signal }));
    if (audiences.includes(audience)) return [];
    const message = `the API server's audiences are ${audiences.join(', ')}`;
    return [{ id: 'audience-missing', object: `audience ${audience}`, message }];
  } catch (error) {
    // In the controller's Pod this may not be asked; it is about commands by hand alone.
    if (isForbidden(error)) return [];
    throw error;
  }
}
