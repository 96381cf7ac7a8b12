import { AppError } from '../model/errors.ts';
import { noTrust } from '../signing/trust-root.ts';
import type { TrustRoot } from '../signing/trust-root.ts';
import type { ClusterImagePolicy } from './cluster-image-policy.ts';
import type { AuthorityDemands } from './evidence-finding.ts';
import type { AuthoritySpec } from './policy-schema.ts';

/** Where trust roots come from. */
export interface TrustRootSource {
  /** The TrustRoot of that name, or the default one; undefined if there is none. Throws ERR_TRUST_ROOT and its like. */
  readonly findTrustRoot: (name: string | undefined) => Promise<TrustRoot | undefined>;
}

type NamedAuthority = AuthoritySpec & { readonly name: string };

/**
 * Against what and how strictly an authority's evidence is verified. Keys and certificates come from three trust roots:
 * that of the authority, of its log and of its timestamp authority, each the default one unless it is named. Throws
 * ERR_POLICY_REFERENCE for one that is not there.
 */
export async function demandsOf(
  authority: NamedAuthority,
  { evaluation }: Pick<ClusterImagePolicy, 'evaluation'>,
  roots: TrustRootSource,
): Promise<AuthorityDemands> {
  const { keyless, ctlog, rfc3161timestamp } = authority;
  const witness = witnessOf(authority, evaluation);
  // A bare key without any witness needs no trust root.
  const own =
    keyless === undefined && ctlog === undefined && rfc3161timestamp === undefined
      ? noTrust
      : await trustRootOf(keyless?.trustRootRef, authority, roots);
  const log =
    ctlog?.trustRootRef === undefined ? own : await trustRootOf(ctlog.trustRootRef, authority, roots);
  const stamp =
    rfc3161timestamp?.trustRootRef === undefined
      ? own
      : await trustRootOf(rfc3161timestamp.trustRootRef, authority, roots);
  const searchLogs = witness === 'log' ? searchedLogs(ctlog, log) : [];
  return {
    trustRoot: combine({ own, log, stamp }),
    witness,
    requireSct: needsSct(keyless, own),
    ...(searchLogs.length === 0 ? {} : { searchLogs }),
  };
}

/** As in the reference the last log of a trust root that is named comes first; an address beside it is asked after it. */
function searchedLogs(ctlog: AuthoritySpec['ctlog'], { material }: TrustRoot): readonly string[] {
  const { url = '', trustRootRef = '' } = ctlog ?? {};
  const last = trustRootRef === '' ? undefined : material.tlogs.at(-1)?.baseURL;
  return [...new Set([last ?? '', url])].filter((log) => log !== '');
}

/**
 * An organisation's own certificate authority has, other than Fulcio, often no certificate log: with `ca-cert` a timestamp
 * of one is demanded where the trust root knows such a log.
 */
function needsSct(keyless: AuthoritySpec['keyless'], { material }: TrustRoot): boolean {
  if (keyless === undefined || keyless.insecureIgnoreSCT === true) return false;
  return keyless['ca-cert'] === undefined || material.ctlogs.length > 0;
}

/**
 * The reference looks at the log unless a timestamp authority is named or, for keyless authorities, a trust root without
 * `ctlog`; then a certificate must be valid now. Strict mode wants a witness of every keyless signature.
 */
function witnessOf(
  { keyless, ctlog, rfc3161timestamp }: NamedAuthority,
  evaluation: ClusterImagePolicy['evaluation'],
): AuthorityDemands['witness'] {
  if (rfc3161timestamp !== undefined) return 'timestamp';
  if (ctlog !== undefined) return 'log';
  if (keyless === undefined) return 'unsafe-none';
  if (evaluation === 'strict') return 'log-or-timestamp';
  return keyless.trustRootRef === undefined ? 'log' : 'unsafe-none';
}

async function trustRootOf(
  ref: string | undefined,
  { name }: NamedAuthority,
  roots: TrustRootSource,
): Promise<TrustRoot> {
  const wanted = ref === '' ? undefined : ref;
  const found = await roots.findTrustRoot(wanted);
  if (found !== undefined) return found;
  const what = wanted === undefined ? 'there is no default trust root' : `trustRootRef ${wanted} not found`;
  throw new AppError('ERR_POLICY_REFERENCE', `authority ${name}: ${what}`, {
    kind: 'permanent',
    object: name,
    remedy: 'Apply the TrustRoot that is named, or give a default one (--trusted-root, trustedRoot.file).',
  });
}

function combine(roots: {
  readonly own: TrustRoot;
  readonly log: TrustRoot;
  readonly stamp: TrustRoot;
}): TrustRoot {
  const { own, log, stamp } = roots;
  if (own === log && own === stamp) return own;
  const { tlogs } = log.material;
  const { timestampAuthorities } = stamp.material;
  return {
    material: { ...own.material, tlogs, timestampAuthorities },
    version: [own, log, stamp].map(({ version }) => version).join('+'),
  };
}
