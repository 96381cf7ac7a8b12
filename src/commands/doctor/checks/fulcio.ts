import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import { silentLog } from '../../../model/log.ts';
import { isAppError, messageOf } from '../../../model/errors.ts';
import { CertificateMemory } from '../../../signing/certificate-memory.ts';
import { createFulcioClient } from '../../../signing/fulcio-client.ts';
import { readTokenClaims } from '../../../signing/identity-token.ts';
import type { LeafCertificate } from '../../../signing/leaf-certificate.ts';
import type { TrustRoot } from '../../../signing/trust-root.ts';
import { SigningServices } from '../../wiring/signing-services.ts';
import { tokenSource } from '../../wiring/signer.ts';
import { fieldOf, recordsIn, textOf } from '../cluster-objects.ts';
import type { Check, SigningParts } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';
import { getJson } from '../http-answer.ts';
import { neverIssued } from './never-issued.ts';

const makeKeyPair = promisify(generateKeyPair);

/** Fulcio: whom it knows, and what it really writes into a certificate for us. The key is thrown away. */
export const fulcioCheck: Check = {
  name: 'fulcio',
  needs: 'settings',
  look: async (parts) => {
    const { settings, clock, signal } = parts;
    if (settings.signer.type !== 'keyless') return [];
    const services = new SigningServices({ settings, clock, log: silentLog });
    const url = await services.fulcioUrl({ signal });
    const token = await (await tokenSource(parts)).fetch({ signal });
    const configured = await readConfiguration(url, token, parts);
    try {
      const leaf = await fetchCertificate(url, token, parts);
      return [
        ...configured,
        ...judgeCertificate(leaf, url, parts.trust.root),
        ...(await neverIssued(leaf.identity, parts)),
      ];
    } catch (error) {
      if (!isAppError(error) || !refusals.includes(error.code)) throw error;
      return [...configured, { id: 'fulcio-refused', object: url, message: error.message }];
    }
  },
};

const refusals = ['ERR_FULCIO_TOKEN_REFUSED', 'ERR_FULCIO_REFUSED', 'ERR_FULCIO_ANSWER'];

async function readConfiguration(
  url: string,
  token: string,
  { dispatchers, settings, signal }: SigningParts,
): Promise<readonly Discovery[]> {
  const address = new URL('api/v2/configuration', url.endsWith('/') ? url : `${url}/`).href;
  const answer = await getJson(address, { dispatcher: dispatchers.for(new URL(url).host), signal });
  const { issuer } = readTokenClaims(token);
  const { audience } = settings.signer.fulcio;
  const issuers = recordsIn(fieldOf(answer, 'issuers'));
  const ours = issuers.filter((one) => isIssuer(one, issuer));
  if (ours.length === 0) {
    const names = issuers.map((one) => textOf(one['issuerUrl']) || textOf(one['wildcardIssuerUrl']));
    const message = `it does not know ${issuer}; it knows ${names.join(', ').slice(0, 500) || 'none'}`;
    return [{ id: 'fulcio-issuer-unknown', object: url, message }];
  }
  const audiences = ours.map((one) => textOf(one['audience'])).filter((one) => one !== '');
  if (audiences.length === 0 || audiences.includes(audience)) return [];
  return [
    { id: 'fulcio-audience', object: url, message: `it wants ${audiences.join(' or ')}, not ${audience}` },
  ];
}

/** As Fulcio: `*` in the address of a MetaIssuer stands for one or more characters of a name. */
function isIssuer(one: Readonly<Record<string, unknown>>, issuer: string): boolean {
  const wildcard = textOf(one['wildcardIssuerUrl']);
  if (wildcard === '') return one['issuerUrl'] === issuer;
  const parts = wildcard.split('*').map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join('[-_a-zA-Z0-9]+')}$`).test(issuer);
}

async function fetchCertificate(
  url: string,
  token: string,
  { dispatchers, clock, signal }: SigningParts,
): Promise<LeafCertificate> {
  const client = createFulcioClient({ url, dispatcher: dispatchers.for(new URL(url).host), clock });
  const { privateKey, publicKey } = await makeKeyPair('ec', { namedCurve: 'P-256' });
  const { chainDer } = await client.issue({ token, privateKey, publicKey }, { signal });
  return new CertificateMemory().parse(chainDer[0], { issuerIsOptional: false });
}

function judgeCertificate(
  leaf: LeafCertificate,
  url: string,
  root: TrustRoot | undefined,
): readonly Discovery[] {
  if (root === undefined) return [];
  const demands = { times: [leaf.notBefore], material: root.material };
  for (const requireSct of [false, true]) {
    try {
      new CertificateMemory().requireTrusted(leaf, { ...demands, requireSct });
    } catch (error) {
      const isOfLog = isAppError(error) && error.code === 'ERR_VERIFY_SCT';
      const id = isOfLog ? 'sct-untrusted' : 'certificate-untrusted';
      return [{ id, object: url, message: messageOf(error) }];
    }
  }
  return [];
}
