import { generateKeyPairSync } from 'node:crypto';

/** Objects of policy.sigstore.dev: what they are, their spec, and for bad ones what the API server says. */
export type GoodObjects = Readonly<Record<string, object>>;
export type BadObjects = Readonly<Record<string, readonly [object, string]>>;

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ format: 'pem', type: 'spki' })
  .toString();
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const awsKey = 'arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

const images = [{ glob: 'crds.example/**' }];
const identity = { issuer: 'https://issuer.example', subject: 'ci@example.com' };
const keyless = { url: 'https://fulcio.example', identities: [identity] };
const cue = { type: 'cue', data: 'predicate: Data: "a"' };
const attestation = { name: 'a', predicateType: 'https://cosign.sigstore.dev/attestation/v1' };
const pass = { static: { action: 'pass' } };
const sha256sum = 'a'.repeat(64);

const withAuthority = (authority: object): object => ({ images, authorities: [authority] });
const withIdentity = (one: object): object => withAuthority({ keyless: { identities: [one] } });
const withKey = (key: object): object => withAuthority({ key });
const withAttestation = (more: object): object =>
  withAuthority({ keyless, attestations: [{ ...attestation, ...more }] });
const withPolicy = (policy: object): object => ({ images, authorities: [pass], policy });

/** Specs of policies that the API server takes; the kinds of fields that policy-controller's own samples have, and more. */
export const goodPolicies: GoodObjects = {
  'the least': withAuthority(pass),
  'mode enforce, as the defaulter writes it': { ...withAuthority(pass), mode: 'enforce' },
  'mode warn': { ...withAuthority(pass), mode: 'warn' },
  'an empty mode': { ...withAuthority(pass), mode: '' },
  'empty lists': {
    images,
    match: [],
    authorities: [{ name: 'authority-0', keyless, source: [], attestations: [] }],
  },
  'fields that are null': {
    ...withAuthority({ ...pass, keyless: null, source: null }),
    match: null,
    mode: null,
  },
  'a static rule with empty lists': withAuthority({
    static: { action: 'fail', message: 'no' },
    source: [],
    attestations: [],
  }),
  'keyless without address': withAuthority({ keyless: { identities: [identity] } }),
  'keyless with a bare host, a trust root and no SCT': withAuthority({
    keyless: {
      url: 'fulcio.example',
      identities: [identity],
      trustRootRef: 'golems',
      insecureIgnoreSCT: true,
    },
  }),
  'identities by expression': withIdentity({ issuerRegExp: '.*default.*', subjectRegExp: '(?i)^ci' }),
  'identities with empty texts beside the others': withIdentity({
    ...identity,
    issuerRegExp: '',
    subjectRegExp: '',
  }),
  'a CA certificate by Secret': withAuthority({
    keyless: { identities: [identity], 'ca-cert': { secretRef: { name: 'ca-cert' } } },
  }),
  'a CA certificate by KMS': withAuthority({
    keyless: { identities: [identity], 'ca-cert': { kms: `awskms:///${awsKey}` } },
  }),
  'a key in the policy': withKey({ data: pem, hashAlgorithm: 'sha512' }),
  'a hash in other letters': withKey({ data: pem, hashAlgorithm: ' SHA384' }),
  'a key by Secret': withKey({ secretRef: { name: 'key' } }),
  'a key by Secret with empty texts beside it': withKey({ secretRef: { name: 'key' }, data: '', kms: '' }),
  ...Object.fromEntries(
    [
      `awskms://localhost:4566/${awsKey}`,
      'azurekms://v/k',
      'gcpkms://projects/p',
      'hashivault://key/path',
    ].map((kms) => [`a key by ${kms.slice(0, 10)}`, withKey({ kms })]),
  ),
  'source, tag prefix and pull secrets': withAuthority({
    keyless,
    source: [
      { oci: 'registry.example/team/signatures', tagPrefix: 'v1', signaturePullSecrets: [{ name: 'pull' }] },
    ],
  }),
  'a log and timestamps': withAuthority({
    keyless,
    ctlog: { url: 'http://rekor.example', trustRootRef: 'golems' },
    rfc3161timestamp: { trustRootRef: 'golems' },
  }),
  'an empty log': withAuthority({ keyless, ctlog: {}, rfc3161timestamp: {} }),
  'both formats of signatures': {
    images,
    authorities: ['', 'legacy', 'bundle'].map((signatureFormat) => ({ keyless, signatureFormat })),
  },
  'attestations with and without policy': {
    images,
    authorities: [
      {
        keyless,
        attestations: [
          attestation,
          { ...attestation, name: 'b', predicateType: 'vuln', policy: cue },
          { ...attestation, name: 'c', policy: { type: 'rego', data: 'package sigstore' } },
        ],
      },
    ],
  },
  'a policy over all, with everything included': withPolicy({
    ...cue,
    fetchConfigFile: true,
    includeSpec: true,
    includeObjectMeta: true,
    includeTypeMeta: false,
  }),
  'a policy in a ConfigMap': withPolicy({
    type: 'cue',
    configMapRef: { name: 'policy', namespace: 'other', key: 'p' },
  }),
  'a policy at an address': withPolicy({
    type: 'cue',
    remote: { url: 'https://example.com/p?a=b', sha256sum },
  }),
  'kinds and labels': {
    ...withAuthority(pass),
    match: [
      {
        group: 'apps',
        version: 'v1',
        resource: 'deployments',
        selector: {
          matchLabels: { app: 'web', empty: '' },
          matchExpressions: [
            { key: 'tier', operator: 'In', values: ['a', 'b'] },
            { key: 'b', operator: 'Exists' },
          ],
        },
      },
      ...['pods', 'replicasets', 'statefulsets', 'daemonsets', 'jobs', 'cronjobs', ''].map((resource) => ({
        version: '*',
        resource,
      })),
    ],
  },
  'all kinds of globs': {
    authorities: [pass],
    images: ['*', '**', '*/*', 'ghcr.io/**', 'localhost:5000/a_b-c@sha256:*'].map((glob) => ({ glob })),
  },
};

const oneOf = (what: string, fields: string): string => `expected exactly one, got ${what}: ${fields}`;
const bodies = 'configMapRef, data, remote';

/** Specs of policies that the API server itself refuses, without any webhook. */
export const badPolicies: BadObjects = {
  'no images': [{ authorities: [pass] }, 'spec.images: Required value'],
  'an empty list of images': [{ images: [], authorities: [pass] }, 'spec.images: Invalid value: 0'],
  'an image without glob': [{ images: [{}], authorities: [pass] }, 'spec.images[0].glob: Required value'],
  'a glob of other characters': [
    { images: [{ glob: '$FOO*' }], authorities: [pass] },
    'spec.images[0].glob in body should match',
  ],
  'a glob that is no pattern': [
    { images: [{ glob: '[' }], authorities: [pass] },
    'spec.images[0].glob in body should match',
  ],
  'no authorities': [{ images }, 'spec.authorities: Required value'],
  'an empty list of authorities': [{ images, authorities: [] }, 'spec.authorities: Invalid value: 0'],
  'a mode that is none': [
    { ...withAuthority(pass), mode: 'garbage' },
    'spec.mode: Unsupported value: \\"garbage\\"',
  ],
  'a resource that is none': [
    { ...withAuthority(pass), match: [{ resource: 'apple' }] },
    'spec.match[0].resource: Unsupported value: \\"apple\\"',
  ],
  'a selector of nothing': [
    { ...withAuthority(pass), match: [{ selector: {} }] },
    'selector requires a resource type to match the labels',
  ],
  'a label expression that is none': [
    {
      ...withAuthority(pass),
      match: [{ resource: 'pods', selector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } }],
    },
    'operator: Unsupported value',
  ],
  'an authority of no kind': [withAuthority({}), oneOf('neither', 'key, keyless, static')],
  'an authority of two kinds': [withAuthority({ keyless, ...pass }), oneOf('both', 'key, keyless, static')],
  'an authority of three kinds': [
    withAuthority({ key: { data: pem }, keyless, ...pass }),
    oneOf('both', 'key, keyless, static'),
  ],
  'a static rule without action': [withAuthority({ static: {} }), 'static.action: Required value'],
  'a static rule of another action': [
    withAuthority({ static: { action: 'garbage' } }),
    'static.action: Unsupported value',
  ],
  'a static rule with attestations': [
    withAuthority({ ...pass, attestations: [attestation] }),
    oneOf('both', 'attestations, static'),
  ],
  'a static rule with a source': [
    withAuthority({ ...pass, source: [{ oci: 'a.example' }] }),
    oneOf('both', 'source, static'),
  ],
  'a static rule with a log': [withAuthority({ ...pass, ctlog: {} }), oneOf('both', 'ctlog, static')],
  'a static rule with timestamps': [
    withAuthority({ ...pass, rfc3161timestamp: {} }),
    oneOf('both', 'rfc3161timestamp, static'),
  ],
  'two sources': [withAuthority({ keyless, source: [{}, {}] }), 'only single source is supported'],
  'a pull secret without name': [
    withAuthority({ keyless, source: [{ signaturePullSecrets: [{}] }] }),
    'signaturePullSecrets[0].name: Required value',
  ],
  'a format that is none': [
    withAuthority({ keyless, signatureFormat: 'bundel' }),
    'signatureFormat: Unsupported value',
  ],
  'no identities': [
    withAuthority({ keyless: { url: 'https://a.example' } }),
    'keyless.identities: Required value',
  ],
  'identities that are null': [withAuthority({ keyless: { identities: null } }), 'keyless.identities: '],
  'an empty list of identities': [
    withAuthority({ keyless: { identities: [] } }),
    'keyless.identities: Invalid value: 0',
  ],
  'an identity of nobody': [withIdentity({}), 'missing field(s): issuer, issuerRegExp'],
  'an identity without subject': [
    withIdentity({ issuer: 'a', subject: '' }),
    'missing field(s): subject, subjectRegExp',
  ],
  'an identity of two issuers': [
    withIdentity({ ...identity, issuerRegExp: 'a' }),
    oneOf('both', 'issuer, issuerRegExp'),
  ],
  'an identity of two subjects': [
    withIdentity({ ...identity, subjectRegExp: 'a' }),
    oneOf('both', 'subject, subjectRegExp'),
  ],
  'a CA beside an address': [
    withAuthority({ keyless: { ...keyless, 'ca-cert': { data: pem } } }),
    oneOf('both', 'ca-cert, url'),
  ],
  'a CA of no kind': [
    withAuthority({ keyless: { identities: [identity], 'ca-cert': {} } }),
    oneOf('neither', 'data, kms, secretref'),
  ],
  'a key of no kind': [withKey({ hashAlgorithm: 'sha256' }), oneOf('neither', 'data, kms, secretref')],
  'a key of two kinds': [
    withKey({ data: pem, secretRef: { name: 'a' } }),
    oneOf('both', 'data, kms, secretref'),
  ],
  'a hash that is none': [
    withKey({ data: pem, hashAlgorithm: 'shaINVALID' }),
    'hashAlgorithm in body should match',
  ],
  'a KMS of no provider': [
    withKey({ kms: 'openbao://a' }),
    'malformed KMS format, should be prefixed by any of the supported providers: [awskms:// azurekms:// hashivault:// gcpkms://]',
  ],
  'an attestation without name': [
    withAttestation({ name: '' }),
    'attestations[0].name in body should be at least 1 chars',
  ],
  'an attestation without type': [
    withAuthority({ keyless, attestations: [{ name: 'a' }] }),
    'attestations[0].predicateType: Required value',
  ],
  'an attestation policy of another language': [
    withAttestation({ policy: { type: 'not-cue', data: 'a' } }),
    'policy.type: Unsupported value: \\"not-cue\\"',
  ],
  'an attestation policy that wants the configuration': [
    withAttestation({ policy: { ...cue, fetchConfigFile: true } }),
    'must not set the field(s): fetchConfigFile',
  ],
  'an attestation policy that wants the spec': [
    withAttestation({ policy: { ...cue, includeSpec: false } }),
    'must not set the field(s): includeSpec',
  ],
  'a policy without body': [withPolicy({ type: 'cue' }), `missing field(s): ${bodies}`],
  'a policy with two bodies': [
    withPolicy({ ...cue, configMapRef: { name: 'a', key: 'b' } }),
    oneOf('both', bodies),
  ],
  'a remote policy by plain HTTP': [
    withPolicy({ type: 'cue', remote: { url: 'http://example.com', sha256sum } }),
    'url valid is invalid. host and https scheme are expected',
  ],
  'a remote policy without sum': [
    withPolicy({ type: 'cue', remote: { url: 'https://example.com' } }),
    'policy.remote.sha256sum: Required value',
  ],
  'a sum that no content has': [
    withPolicy({ type: 'cue', remote: { url: 'https://example.com', sha256sum: 'a' } }),
    'policy.remote.sha256sum in body should match',
  ],
  'a ConfigMap without key': [
    withPolicy({ type: 'cue', configMapRef: { name: 'a' } }),
    'policy.configMapRef.key: Required value',
  ],
  'an entry that is null': [
    { images: [null], authorities: [pass] },
    'spec.images[0]: Invalid value: \\"null\\"',
  ],
  'an unknown field': [
    withAuthority({ ...pass, atestations: [] }),
    'unknown field \\"spec.authorities[0].atestations\\"',
  ],
  'a text where a list belongs': [{ ...withAuthority(pass), images: 'all' }, 'spec.images: Invalid value'],
};

const subject = { organization: 'Golem Trust', commonName: 'Fulcio' };
const chain = '-----BEGIN CERTIFICATE-----\nMIIBdzCCAR6gAwIBAgIUa2V5\n-----END CERTIFICATE-----\n';
const authority = { subject, uri: 'https://fulcio.example', certChain: base64(chain) };
const log = { baseURL: 'https://log.example', hashAlgorithm: 'sha-256', publicKey: base64(pem) };
const sigstoreKeys = { certificateAuthorities: [authority], tLogs: [log] };
const root = base64('{"signatures":[]}');
const remote = { root, mirror: 'https://tuf.example' };
const repository = { root, mirrorFS: base64(Buffer.from([0x1f, 0x8b, 8])) };

/** Specs of trust roots that the API server takes: what is in the base64 is for the webhook. */
export const goodTrustRoots: GoodObjects = {
  keys: { sigstoreKeys },
  'keys of all kinds, with empty lists': {
    sigstoreKeys: { ...sigstoreKeys, timestampAuthorities: [authority], ctLogs: [log], tLogs: [] },
  },
  'a list that is null': { sigstoreKeys: { ...sigstoreKeys, ctLogs: null } },
  'a timestamp authority alone': { sigstoreKeys: { timestampAuthorities: [authority] } },
  'base64 with line breaks': {
    sigstoreKeys: {
      certificateAuthorities: [
        { ...authority, certChain: `${base64(chain).slice(0, 40)}\n${base64(chain).slice(40)}\n` },
      ],
    },
  },
  'a mirror': { remote },
  'a mirror with the names of targets, as the defaulter writes them': {
    remote: { ...remote, targets: 'targets', trustedRootTarget: 'trusted_root.json' },
  },
  'a repository': { repository },
};

/** Specs of trust roots that the API server itself refuses. */
export const badTrustRoots: BadObjects = {
  'no source': [{}, oneOf('neither', 'remote, repository, sigstoreKeys')],
  'two sources': [{ remote, sigstoreKeys }, oneOf('both', 'remote, repository, sigstoreKeys')],
  'keys without authority': [
    { sigstoreKeys: { tLogs: [log] } },
    oneOf('neither', 'certificateAuthorities, timestampAuthorities'),
  ],
  'an authority without chain': [
    { sigstoreKeys: { certificateAuthorities: [{ subject, uri: 'a' }] } },
    'certificateAuthorities[0].certChain: Required value',
  ],
  'an authority without names': [
    { sigstoreKeys: { certificateAuthorities: [{ ...authority, subject: { organization: 'a' } }] } },
    'certificateAuthorities[0].subject.commonName: Required value',
  ],
  'a log without key': [
    { sigstoreKeys: { ...sigstoreKeys, ctLogs: [{ baseURL: 'a', hashAlgorithm: 'sha-256' }] } },
    'ctLogs[0].publicKey: Required value',
  ],
  'a key that is no base64': [
    { sigstoreKeys: { ...sigstoreKeys, tLogs: [{ ...log, publicKey: pem }] } },
    'tLogs[0].publicKey in body should match',
  ],
  'a mirror without root': [
    { remote: { mirror: 'https://tuf.example' } },
    'spec.remote.root: Required value',
  ],
  'a mirror that is no address': [
    { remote: { root, mirror: 'tuf.example' } },
    'spec.remote.mirror in body should match',
  ],
  'a repository without archive': [{ repository: { root } }, 'spec.repository.mirrorFS: Required value'],
  'an unknown field': [{ remote, colour: 'red' }, 'unknown field \\"spec.colour\\"'],
};
