import { hash } from 'node:crypto';
import { stringify } from 'yaml';
import { encodePem } from '../../model/signature.ts';
import { toTrustedKeys } from '../../policy/trust-root-source.ts';
import { trustedKeysDocument } from '../../policy/trusted-keys.ts';
import type { TrustRootObject } from '../../policy/trust-root-object.ts';
import { decodePublicKey } from '../../signing/log-identity.ts';
import { trustedRootSchema } from '../../signing/trusted-root-document.ts';
import type {
  AuthorityInstance,
  LogInstance,
  TrustedRootDocument,
} from '../../signing/trusted-root-document.ts';

/**
 * A `policy.sigstore.dev` TrustRoot with the keys of a trust root, YAML. It has no place for validities: all its keys
 * count for ever; `hasEnds` tells that some should not.
 */
export function formatTrustRootObject(
  document: TrustedRootDocument,
  name: string,
): { readonly text: string; readonly hasEnds: boolean } {
  const { certificateAuthorities, tlogs, ctlogs, timestampAuthorities } = document;
  const object = {
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name },
    spec: {
      sigstoreKeys: {
        certificateAuthorities: certificateAuthorities.map(toAuthority),
        tLogs: tlogs.map(toLog),
        ctLogs: ctlogs.map(toLog),
        timestampAuthorities: timestampAuthorities.map(toAuthority),
      },
    },
  };
  const hasEnds = [
    ...[...tlogs, ...ctlogs].map(({ publicKey }) => publicKey.validFor),
    ...[...certificateAuthorities, ...timestampAuthorities].map(({ validFor }) => validFor),
  ].some((validFor) => validFor?.end !== undefined);
  return { text: stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }), hasEnds };
}

/** The keys in a TrustRoot in the form of a `trusted_root.json`; undefined if it names a TUF repository instead. */
export function documentOfObject({ name, spec }: TrustRootObject): TrustedRootDocument | undefined {
  if (spec.sigstoreKeys === undefined) return undefined;
  return trustedRootSchema.parse(trustedKeysDocument(toTrustedKeys(spec.sigstoreKeys), `TrustRoot ${name}`));
}

function toLog({ baseUrl, publicKey }: LogInstance): object {
  const spki = decodePublicKey(publicKey).export({ format: 'der', type: 'spki' });
  return { baseURL: baseUrl, hashAlgorithm: 'sha-256', publicKey: base64(encodePem('PUBLIC KEY', spki)) };
}

/** Organization, common name and address must not be empty: what tells one authority from another stands in for them. */
function toAuthority({ subject = {}, uri = '', certChain }: AuthorityInstance): object {
  const { organization = '', commonName = '' } = subject;
  const certificates = certChain.certificates.map(({ rawBytes }) => Buffer.from(rawBytes, 'base64'));
  const place = URL.canParse(uri) ? new URL(uri).hostname : hash('sha256', certificates.at(-1) ?? '');
  return {
    subject: { organization: organization || place, commonName: commonName || place },
    uri: uri || `https://${place}`,
    certChain: base64(certificates.map((der) => encodePem('CERTIFICATE', der)).join('')),
  };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
