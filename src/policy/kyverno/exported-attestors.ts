import { formatRepository } from '../../model/image-reference.ts';
import type { IdentityMatch } from '../../signing/certificate-identity.ts';
import { trustMaterialDocument } from '../../signing/trust-material-document.ts';
import type { SigningAuthority } from '../compiled-policy.ts';
import type { NoteLimitation } from './limitation.ts';
import type { KyvernoAttestor, KyvernoIdentity, KyvernoTuf } from './kyverno-types.ts';

type Cosign = KyvernoAttestor['cosign'];
type KeySigner = Extract<SigningAuthority['signer'], { kind: 'key' }>;

/** By whom the checks of an authority are made; an empty list: that check never passes. */
export interface AuthorityAttestors {
  /** All of them, as the policy declares them. */
  readonly declared: readonly KyvernoAttestor[];
  /** Names of those that find an image's signature among its bundles. */
  readonly bundleSignatures: readonly string[];
  /** Names of those that find it at its tag, and nowhere else. */
  readonly tagSignatures: readonly string[];
  /** Names of those that find attestations. */
  readonly attestations: readonly string[];
}

/** How an authority's attestors are made. */
export interface AttestorParts {
  /** Begins their names: letters and digits. */
  readonly prefix: string;
  readonly tuf: KyvernoTuf | undefined;
  readonly note: NoteLimitation;
}

/**
 * Kyverno 1.19 takes bundles alone once an image has one, and then for an image's signature every attestation that the signer
 * made. So signatures are looked for as the statement by which cosign 3 signs; those at tags by an attestor that cannot verify
 * bundles, since it has more than one identity (cosign 3.1.2, verify.go, verificationOptions).
 */
export function attestorsOf(authority: SigningAuthority, parts: AttestorParts): AuthorityAttestors {
  const { signer } = authority;
  if (!isExpressible(authority, parts.note)) return none;
  noteAlways(authority, parts.note);
  return signer.kind === 'key'
    ? keyAttestors(authority, signer, parts)
    : keylessAttestors(authority, signer.anyOf, parts);
}

const none: AuthorityAttestors = {
  declared: [],
  bundleSignatures: [],
  tagSignatures: [],
  attestations: [],
};

/** What never passes: there is no way to say it that would not let more through. */
function isExpressible(
  { kind, name, demands, registry, layouts }: SigningAuthority,
  note: NoteLimitation,
): boolean {
  const never = (code: Parameters<NoteLimitation>[0]['code'], message: string): false => {
    note({ code, where: name, message: `${message}; the authority never passes` });
    return false;
  };
  if (demands.issuers !== undefined) return never('ca-cert', 'ca-cert has no counterpart');
  if (registry !== undefined) return never('source-registry', 'a registry without a path as source');
  if (kind === 'key' && demands.witness === 'timestamp') {
    return never('timestamp', 'a key with an RFC 3161 timestamp cannot be asked for');
  }
  if (kind === 'key' && !layouts.includes('referrer')) {
    return never('signature-format', 'with a key, signatures at tags cannot be told from attestations');
  }
  return true;
}

function noteAlways({ name, pullSecrets, layouts }: SigningAuthority, note: NoteLimitation): void {
  if (pullSecrets !== undefined) {
    const message =
      "signaturePullSecrets are left out: evidence is read with Kyverno's own registry credentials";
    note({ code: 'pull-secrets', where: name, message });
  }
  if (layouts.length > 1) {
    const message = 'once an image has one bundle, Kyverno takes no notice of its tags';
    note({ code: 'layout-precedence', where: name, message });
  }
}

function keyAttestors(
  authority: SigningAuthority,
  signer: KeySigner,
  { prefix, tuf, note }: AttestorParts,
): AuthorityAttestors {
  const { demands, layouts } = authority;
  const { publicKey, hash } = signer;
  const isLogged = demands.witness === 'log';
  noteKey(authority, signer, note);
  const isBundleOnly = !layouts.includes('tag');
  const key = {
    data: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    ...(hash === undefined ? {} : { hashAlgorithm: hash }),
  };
  const log = isLogged
    ? { ...trustOf(authority, tuf, note), ...(isBundleOnly ? {} : searchOf(authority, note)) }
    : { ctlog: { insecureIgnoreTlog: true, insecureIgnoreSCT: true } };
  const annotations = isLogged && isBundleOnly ? { annotations: { [annotationKeys.bundle]: '' } } : {};
  const attestor = { name: `${prefix}key`, cosign: { key, ...log, ...sourceOf(authority), ...annotations } };
  const names = [attestor.name];
  return { declared: [attestor], bundleSignatures: names, tagSignatures: [], attestations: names };
}

function noteKey(
  { name: where, demands, wantsSignature, attestations }: SigningAuthority,
  { publicKey, hash }: KeySigner,
  note: NoteLimitation,
): void {
  if (wantsSignature) {
    note({ code: 'signature-bundles', where, message: 'image signatures by a key count as bundles only' });
  }
  if (attestations.length > 0 && demands.witness !== 'log') {
    const message = 'attestations by a key without a log count as bundles only';
    note({ code: 'attestation-bundles', where, message });
  }
  const curve = publicKey.asymmetricKeyDetails?.namedCurve ?? '';
  if (hash === undefined && (curve === 'secp384r1' || curve === 'secp521r1')) {
    note({ code: 'key-hash', where, message: 'signatures of this key count with SHA-256 only' });
  }
}

/** Annotations of cosign's tag layout (cosign, specs/SIGNATURE_SPEC.md): the empty text demands that there is none. */
const annotationKeys = {
  certificate: 'dev.sigstore.cosign/certificate',
  bundle: 'dev.sigstore.cosign/bundle',
} as const;

function keylessAttestors(
  authority: SigningAuthority,
  anyOf: readonly IdentityMatch[],
  { prefix, tuf, note }: AttestorParts,
): AuthorityAttestors {
  const { layouts, demands } = authority;
  const identities = anyOf.map(identityOf);
  const [first] = identities;
  if (first === undefined) return none;
  const base = { ...trustOf(authority, tuf, note), ...witnessOf(authority, note), ...sourceOf(authority) };
  const annotations = layouts.includes('tag') ? {} : { annotations: { [annotationKeys.certificate]: '' } };
  const single = layouts.includes('referrer')
    ? identities.map((identity, index) => ({
        name: `${prefix}id${index}`,
        cosign: { keyless: { identities: [identity] }, ...base, ...annotations },
      }))
    : [];
  // A timestamp at a tag would not be demanded, only looked at.
  const tags =
    layouts.includes('tag') && demands.witness !== 'timestamp'
      ? [{ name: `${prefix}tags`, cosign: { keyless: { identities: doubled(identities) }, ...base } }]
      : [];
  const names = single.map(({ name }) => name);
  const tagNames = tags.map(({ name }) => name);
  return {
    declared: [...single, ...tags],
    bundleSignatures: names,
    tagSignatures: tagNames,
    attestations: names.length > 0 ? names : tagNames,
  };
}

function doubled(identities: readonly KyvernoIdentity[]): readonly KyvernoIdentity[] {
  return identities.length > 1 ? identities : [...identities, ...identities];
}

function identityOf({ issuer, subject }: IdentityMatch): KyvernoIdentity {
  return {
    ...(issuer.kind === 'exact' ? { issuer: issuer.value } : { issuerRegExp: issuer.source }),
    ...(subject.kind === 'exact' ? { subject: subject.value } : { subjectRegExp: subject.source }),
  };
}

/** The trust root, and the TUF repository that has to be there although nothing of it is used. */
function trustOf(
  { name, demands }: SigningAuthority,
  tuf: KyvernoTuf | undefined,
  note: NoteLimitation,
): Pick<Cosign, 'tuf' | 'trustedRoot'> {
  const where = tuf === undefined ? 'the public TUF repository' : tuf.mirror;
  const message = `Kyverno fetches ${where} before it verifies, though the trust root is inlined; without it nothing passes`;
  note({ code: 'trust-root-fetch', where: name, message });
  return {
    ...(tuf === undefined ? {} : { tuf }),
    trustedRoot: { value: JSON.stringify(trustMaterialDocument(demands.trustRoot.material)) },
  };
}

/** Without `ctlog` a log entry and a certificate timestamp are demanded, and no log is searched. */
function witnessOf(authority: SigningAuthority, note: NoteLimitation): Pick<Cosign, 'ctlog'> {
  const { name, demands } = authority;
  const { witness, requireSct } = demands;
  if (witness === 'timestamp' || witness === 'unsafe-none') {
    const message = 'of bundles, an RFC 3161 timestamp is demanded; attestations at tags do not count';
    note({ code: 'timestamp', where: name, message });
    return { ctlog: { insecureIgnoreTlog: true, insecureIgnoreSCT: !requireSct } };
  }
  if (witness === 'log-or-timestamp') {
    const message = 'a log entry is demanded also where there is an RFC 3161 timestamp';
    note({ code: 'log-required', where: name, message });
  }
  const search = searchOf(authority, note);
  if (requireSct || search.ctlog === undefined) {
    if (!requireSct) {
      const message = 'a certificate timestamp is demanded in spite of insecureIgnoreSCT';
      note({ code: 'sct-required', where: name, message });
    }
    return search;
  }
  return { ctlog: { ...search.ctlog, insecureIgnoreSCT: true } };
}

/** Kyverno asks one log about what carries no entry; with a layout of its own format alone, none. */
function searchOf({ name, demands, layouts }: SigningAuthority, note: NoteLimitation): Pick<Cosign, 'ctlog'> {
  const { searchLogs = [] } = demands;
  const [url] = searchLogs;
  if (url === undefined || !layouts.includes('tag')) return {};
  if (searchLogs.length > 1) {
    note({ code: 'log-search', where: name, message: `of the logs to be searched, ${url} alone is` });
  }
  return { ctlog: { url } };
}

function sourceOf({ repository, tagPrefix }: SigningAuthority): Pick<Cosign, 'source'> {
  if (repository === undefined && tagPrefix === undefined) return {};
  return {
    source: {
      ...(repository === undefined ? {} : { repository: formatRepository(repository) }),
      ...(tagPrefix === undefined ? {} : { tagPrefix }),
    },
  };
}
