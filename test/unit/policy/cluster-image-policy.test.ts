import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse } from 'yaml';
import { parseClusterImagePolicy, readClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { formatFieldFaults } from '../../../src/policy/field-fault.ts';

const identity = { issuer: 'https://issuer.example', subjectRegExp: 'ci' };
const keyless = { identities: [identity] };
const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .publicKey.export({ format: 'pem', type: 'spki' })
  .toString();

const policyOf = (spec: object, more: object = {}): object => ({
  apiVersion: 'policy.sigstore.dev/v1beta1',
  kind: 'ClusterImagePolicy',
  metadata: { name: 'test' },
  spec: { images: [{ glob: 'ghcr.io/**' }], authorities: [{ keyless }], ...spec },
  ...more,
});
const faultsOf = (value: unknown): string =>
  formatFieldFaults(readClusterImagePolicy(value, 'tekton-chains').faults);
const withAuthority = (authority: object): object => policyOf({ authorities: [authority] });
const withAttestation = (attestation: object): object =>
  withAuthority({ keyless, attestations: [attestation] });

describe('a ClusterImagePolicy', () => {
  it("takes the runbook's policy and gives defaults", async () => {
    const file = new URL('../../../config/samples/golemtrust-production-policy.yaml', import.meta.url);
    const policy = parseClusterImagePolicy(parse(await readFile(file, 'utf8')), 'tekton-chains');
    expect(policy).to.deep.include({
      name: 'golemtrust-production-policy',
      mode: 'enforce',
      evaluation: 'strict',
      images: ['harbor.golems.internal/golem-trust/**'],
    });
    expect(policy.authorities[0]?.attestations?.map(({ name }) => name)).to.deep.equal([
      'slsa-provenance',
      'sbom-cyclonedx',
    ]);
  });

  it('names authorities by their index and gives the public Fulcio, in both versions', () => {
    for (const version of ['v1alpha1', 'v1beta1']) {
      const apiVersion = `policy.sigstore.dev/${version}`;
      const authorities = [{ keyless }, { keyless }];
      const { authorities: found } = parseClusterImagePolicy(policyOf({ authorities }, { apiVersion }), 'n');
      expect(found.map(({ name, keyless: ref }) => [name, ref?.url])).to.deep.equal([
        ['authority-0', 'https://fulcio.sigstore.dev'],
        ['authority-1', 'https://fulcio.sigstore.dev'],
      ]);
    }
  });

  it('chooses the evaluation by its annotation', () => {
    const annotated = (value: string): object =>
      policyOf({}, { metadata: { name: 'a', annotations: { 'policy.chainwright.dev/evaluation': value } } });
    expect(parseClusterImagePolicy(annotated('permissive'), 'n').evaluation).to.equal('permissive');
    expect(faultsOf(annotated('lax'))).to.include(
      'invalid value: lax: metadata.annotations.policy.chainwright',
    );
  });

  const awsFormat = 'kms key should be in the format awskms://[ENDPOINT]/[ID/ALIAS/ARN] (endpoint optional)';
  const arn = 'arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';
  const keyPaths =
    'spec.authorities[0].key.data, spec.authorities[0].key.kms, spec.authorities[0].key.secretref';
  const bodyPaths = ['configMapRef', 'data', 'remote']
    .map((field) => `spec.authorities[0].attestations.policy.${field}`)
    .join(', ');

  const sha256sum = 'a'.repeat(64);

  /** What policy-controller refuses, and how it says so. */
  const refused: Readonly<Record<string, readonly [object, string]>> = {
    'no images': [policyOf({ images: [] }), 'missing field(s): spec.images'],
    'an empty glob': [policyOf({ images: [{ glob: '' }] }), 'missing field(s): spec.images[0].glob'],
    'a glob that is no pattern': [
      policyOf({ images: [{ glob: '[' }] }),
      'invalid value: [: spec.images[0].glob\nglob is invalid: syntax error in pattern',
    ],
    'a glob of other characters': [
      policyOf({ images: [{ glob: '$FOO*' }] }),
      'invalid value: $FOO*: spec.images[0].glob\nglob is invalid: invalid glob "$FOO*"',
    ],
    'no authorities': [policyOf({ authorities: [] }), 'missing field(s): spec.authorities'],
    'a mode that is none': [
      policyOf({ mode: 'garbage' }),
      'invalid value: garbage: spec.mode\nunsupported mode',
    ],
    'a resource that is none': [
      policyOf({ match: [{ resource: 'apple' }] }),
      'invalid value: apple: spec.match[0].resource\nunsupported resource name',
    ],
    'a selector of nothing': [
      policyOf({ match: [{ selector: {} }] }),
      'invalid value: : spec.match[0].selector\nselector requires a resource type to match the labels',
    ],
    'an authority of no kind': [
      withAuthority({}),
      'expected exactly one, got neither: spec.authorities[0].key, spec.authorities[0].keyless, spec.authorities[0].static',
    ],
    'an authority of two kinds': [
      withAuthority({ keyless, static: {} }),
      'expected exactly one, got both: spec.authorities[0].key, spec.authorities[0].keyless, spec.authorities[0].static',
    ],
    'a static rule without action': [
      withAuthority({ static: {} }),
      'missing field(s): spec.authorities[0].static.action',
    ],
    'a static rule of another action': [
      withAuthority({ static: { action: 'garbage' } }),
      'invalid value: garbage: spec.authorities[0].static.action\nunsupported action',
    ],
    'a static rule with attestations and log': [
      withAuthority({
        static: { action: 'pass' },
        ctlog: {},
        attestations: [{ name: 'a', predicateType: 'u:x' }],
      }),
      'expected exactly one, got both: spec.authorities[0].attestations, spec.authorities[0].ctlog, spec.authorities[0].static',
    ],
    'two sources': [
      withAuthority({ keyless, source: [{}, {}] }),
      'invalid value: source: spec.authorities[0].source\nonly single source is supported',
    ],
    'a pull secret without name': [
      withAuthority({ keyless, source: [{ signaturePullSecrets: [{}] }] }),
      'missing field(s): spec.authorities[0].source[0].signaturePullSecrets[0].name',
    ],
    'an attestation without name and type': [
      withAttestation({}),
      'missing field(s): spec.authorities[0].attestations.name, spec.authorities[0].attestations.predicateType',
    ],
    'an attestation policy that wants the config': [
      withAttestation({
        name: 'a',
        predicateType: 'u:x',
        policy: { type: 'cue', data: 'a: 1', includeSpec: true },
      }),
      'must not set the field(s): spec.authorities[0].attestations.policy.includeSpec',
    ],
    'a policy of another language': [
      withAttestation({ name: 'a', predicateType: 'u:x', policy: { type: 'not-cue', data: 'a' } }),
      'invalid value: not-cue: spec.authorities[0].attestations.policy.type\nonly [cue,rego] are supported at the moment',
    ],
    'a policy without body': [
      withAttestation({ name: 'a', predicateType: 'u:x', policy: { type: 'cue' } }),
      `missing field(s): ${bodyPaths}`,
    ],
    'a policy with two bodies': [
      withAttestation({
        name: 'a',
        predicateType: 'u:x',
        policy: { type: 'cue', data: 'a', configMapRef: { name: 'a', key: 'b' } },
      }),
      `expected exactly one, got both: ${bodyPaths}`,
    ],
    'a remote policy by plain HTTP': [
      policyOf({ policy: { type: 'cue', remote: { url: 'http://example.com', sha256sum } } }),
      'invalid value: http://example.com: policy.remote.url\nurl valid is invalid. host and https scheme are expected',
    ],
    'a key of no kind': [withAuthority({ key: {} }), `expected exactly one, got neither: ${keyPaths}`],
    'a key of two kinds': [
      withAuthority({ key: { data: pem, secretRef: { name: 'a' } } }),
      `expected exactly one, got both: ${keyPaths}`,
    ],
    'a key that is none': [
      withAuthority({ key: { data: '---somedata---' } }),
      'invalid value: ---somedata---: spec.authorities[0].key.data',
    ],
    'a hash that is none': [
      withAuthority({ key: { data: pem, hashAlgorithm: 'shaINVALID' } }),
      'invalid value: shaINVALID: spec.authorities[0].key.hashAlgorithm',
    ],
    'a KMS of no provider': [
      withAuthority({ key: { kms: 'openbao://a' } }),
      'invalid value: openbao://a: spec.authorities[0].key.kms\nmalformed KMS format, should be prefixed by any of the supported providers: [awskms:// azurekms:// hashivault:// gcpkms://]',
    ],
    'an AWS key that is none': [
      withAuthority({ key: { kms: 'awskms:///nokey' } }),
      `invalid value: awskms:///nokey: spec.authorities[0].key.kms\n${awsFormat}`,
    ],
    'an AWS endpoint with too many colons': [
      withAuthority({ key: { kms: `awskms://a:b:c/${arn}` } }),
      `invalid value: awskms://a:b:c/${arn}: spec.authorities[0].key.kms\nmalformed endpoint: address a:b:c: too many colons in address`,
    ],
    'an AWS alias that is no ARN': [
      withAuthority({ key: { kms: 'awskms:///alias/mine' } }),
      'invalid value: awskms:///alias/mine: spec.authorities[0].key.kms\nfailed to parse either key or alias arn: arn: invalid prefix',
    ],
    'no identities': [
      withAuthority({ keyless: {} }),
      'missing field(s): spec.authorities[0].keyless.identities',
    ],
    'an identity of nobody': [
      withAuthority({ keyless: { identities: [{}] } }),
      'missing field(s): spec.authorities[0].keyless.identities[0].issuer, spec.authorities[0].keyless.identities[0].issuerRegExp, spec.authorities[0].keyless.identities[0].subject, spec.authorities[0].keyless.identities[0].subjectRegExp',
    ],
    'an identity of two issuers': [
      withAuthority({ keyless: { identities: [{ ...identity, issuerRegExp: 'a' }] } }),
      'expected exactly one, got both: spec.authorities[0].keyless.identities[0].issuer, spec.authorities[0].keyless.identities[0].issuerRegExp',
    ],
    'an expression that is none': [
      withAuthority({ keyless: { identities: [{ issuerRegExp: '****', subject: 'a' }] } }),
      'invalid value: ****: spec.authorities[0].keyless.identities[0].issuerRegExp\nregex is invalid: error parsing regexp: missing argument to repetition operator: `*`',
    ],
    'a CA beside a URL': [
      withAuthority({ keyless: { ...keyless, url: 'https://f.example', 'ca-cert': { data: pem } } }),
      'expected exactly one, got both: spec.authorities[0].keyless.ca-cert, spec.authorities[0].keyless.url',
    ],
    'an authority of all kinds at once, and says nothing of the rest': [
      withAuthority({ key: {}, keyless: {}, static: {} }),
      'expected exactly one, got both: spec.authorities[0].key, spec.authorities[0].keyless, spec.authorities[0].static',
    ],
    'a static rule with everything that it cannot have': [
      withAuthority({
        static: { action: 'fail' },
        source: [{ oci: 'registry1' }],
        rfc3161timestamp: {},
        ctlog: {},
        attestations: [{ name: 'a', predicateType: 'u:x' }],
      }),
      'expected exactly one, got both: ' +
        ['attestations', 'ctlog', 'rfc3161timestamp', 'source', 'static']
          .map((field) => `spec.authorities[0].${field}`)
          .join(', '),
    ],
    'a source with other characters': [
      withAuthority({ keyless, source: [{ oci: 'gcr.io/test/*' }] }),
      'invalid value: gcr.io/test/*: spec.authorities[0].source[0].oci\nrepository can only contain the characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: test/*',
    ],
    'a source of a registry that is none': [
      withAuthority({ keyless, source: [{ oci: 'gcr.@io/test' }] }),
      'invalid value: gcr.@io/test: spec.authorities[0].source[0].oci\nregistries must be valid RFC 3986 URI authorities: gcr.@io',
    ],
    'a source whose registry cannot be told': [
      withAuthority({ keyless, source: [{ oci: 'team/images' }] }),
      'invalid value: team/images: spec.authorities[0].source[0].oci\nregistries must be valid RFC 3986 URI authorities: team/images',
    ],
    'a source with a repository of one letter': [
      withAuthority({ keyless, source: [{ oci: 'gcr.io/a' }] }),
      'invalid value: gcr.io/a: spec.authorities[0].source[0].oci\nrepository must be between 2 and 255 characters in length: a',
    ],
    'a signature format that is none': [
      withAuthority({ keyless, signatureFormat: 'bundel' }),
      'invalid value: bundel: spec.authorities[0].signatureFormat\nonly [legacy,bundle] are supported',
    ],
    ...Object.fromEntries(
      ['fetchConfigFile', 'includeObjectMeta', 'includeTypeMeta'].map((field) => [
        `an attestation policy with ${field}`,
        [
          withAttestation({
            name: 'a',
            predicateType: 'u:x',
            policy: { type: 'cue', data: 'a: 1', [field]: false },
          }),
          `must not set the field(s): spec.authorities[0].attestations.policy.${field}`,
        ],
      ]),
    ),
    'a policy over all of another language and without body': [
      policyOf({ policy: { type: '' } }),
      'invalid value: : policy.type\nonly [cue,rego] are supported at the moment\nmissing field(s): policy.configMapRef, policy.data, policy.remote',
    ],
    'a remote policy without address and sum': [
      policyOf({ policy: { type: 'cue', remote: {} } }),
      'missing field(s): policy.remote.sha256sum, policy.remote.url',
    ],
    'a remote policy without host': [
      policyOf({ policy: { type: 'cue', remote: { url: 'https://', sha256sum } } }),
      'invalid value: https://: policy.remote.url\nurl valid is invalid. host and https scheme are expected',
    ],
    'a sum that no content has': [
      policyOf({ policy: { type: 'cue', remote: { url: 'https://example.com', sha256sum: 'a' } } }),
      'invalid value: a: policy.remote.sha256sum\nnot a SHA-256 in hex: no content would ever match',
    ],
    'a ConfigMap without name and key': [
      policyOf({ policy: { type: 'cue', configMapRef: {} } }),
      'missing field(s): policy.configMapRef.key, policy.configMapRef.name',
    ],
    'a CA certificate of no kind': [
      withAuthority({ keyless: { ...keyless, 'ca-cert': {} } }),
      `expected exactly one, got neither: ${keyPaths.replaceAll('.key.', '.keyless.ca-cert.')}`,
    ],
    'a Secret beside a KMS': [
      withAuthority({ key: { kms: 'gcpkms://a', secretRef: { name: 'a' } } }),
      `expected exactly one, got both: ${keyPaths}`,
    ],
    'an AWS key without endpoint and key': [
      withAuthority({ key: { kms: 'awskms://localhost' } }),
      "invalid value: awskms://localhost: spec.authorities[0].key.kms\nmalformed AWS KMS format 'awskms://$ENDPOINT/$KEYID', should be conformant with KMS standard documented here: https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id",
    ],
    'an AWS endpoint without port': [
      withAuthority({ key: { kms: `awskms://localhost/${arn}` } }),
      `invalid value: awskms://localhost/${arn}: spec.authorities[0].key.kms\nmalformed endpoint: address localhost: missing port in address`,
    ],
    'an AWS key in the place of the endpoint': [
      withAuthority({ key: { kms: `awskms://${arn}` } }),
      `invalid value: awskms://${arn}: spec.authorities[0].key.kms\n${awsFormat}`,
    ],
    'an AWS key by its id alone': [
      withAuthority({ key: { kms: 'awskms:///1234abcd-12ab-34cd-56ef-1234567890ab' } }),
      'invalid value: awskms:///1234abcd-12ab-34cd-56ef-1234567890ab: spec.authorities[0].key.kms\nfailed to parse either key or alias arn: arn: invalid prefix',
    ],
    'an identity of two subjects': [
      withAuthority({ keyless: { identities: [{ ...identity, subject: 'a' }] } }),
      'expected exactly one, got both: spec.authorities[0].keyless.identities[0].subject, spec.authorities[0].keyless.identities[0].subjectRegExp',
    ],
    'an identity without subject': [
      withAuthority({ keyless: { identities: [{ issuer: 'a' }] } }),
      'missing field(s): spec.authorities[0].keyless.identities[0].subject, spec.authorities[0].keyless.identities[0].subjectRegExp',
    ],
    'an expression that RE2 does not know': [
      withAuthority({ keyless: { identities: [{ issuer: 'a', subjectRegExp: 'a(?!b)' }] } }),
      'invalid value: a(?!b): spec.authorities[0].keyless.identities[0].subjectRegExp\nregex is invalid: error parsing regexp: invalid or unsupported Perl syntax: `(?!`',
    ],
    'a list that is null': [
      withAuthority({ keyless: { identities: null } }),
      'missing field(s): spec.authorities[0].keyless.identities',
    ],
    'an entry that is null': [
      policyOf({ images: [null] }),
      'Invalid input: expected object, received null: spec.images[0]',
    ],
    'an unknown field': [
      withAuthority({ keyless, atestations: [] }),
      'json: unknown field "atestations": spec.authorities[0]',
    ],
  };
  for (const [what, [value, text]] of Object.entries(refused)) {
    it(`refuses ${what} in policy-controller's words`, () => {
      expect(faultsOf(value)).to.equal(text);
    });
  }

  it('refuses a Secret of another namespace', () => {
    const other = withAuthority({ key: { secretRef: { name: 'a', namespace: 'other' } } });
    expect(faultsOf(other)).to.include('invalid value: other: spec.authorities[0].key.secretref.namespace\n');
    const own = withAuthority({ key: { secretRef: { name: 'a', namespace: 'tekton-chains' } } });
    expect(faultsOf(own)).to.equal('');
  });

  it('takes a field that is null for none, as the API server does', () => {
    expect(faultsOf(policyOf({ match: null, mode: null, policy: null }))).to.equal('');
    expect(faultsOf(withAuthority({ keyless, key: null, static: null, source: null }))).to.equal('');
  });

  it('takes an empty mode for enforce, and sources that the reference takes', () => {
    expect(parseClusterImagePolicy(policyOf({ mode: '' }), 'n').mode).to.equal('enforce');
    const places = [
      'gcr.io',
      'ghcr.io/sigstore/test',
      'registry.example.com',
      'localhost:8080/test',
      'localhost',
    ];
    for (const oci of places)
      expect(faultsOf(withAuthority({ keyless, source: [{ oci }] })), oci).to.equal('');
    expect(faultsOf(withAuthority({ keyless, source: [{ tagPrefix: 'a' }] }))).to.equal('');
    for (const signatureFormat of ['', 'legacy', 'bundle']) {
      expect(faultsOf(withAuthority({ keyless, signatureFormat }))).to.equal('');
    }
  });

  it('takes an AWS key by ARN, with and without endpoint', () => {
    const ofSeveralRegions = 'arn:aws:kms:us-east-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab';
    const ofAlias = 'arn:aws:kms:us-east-2:111122223333:alias/ExampleAlias';
    const places = [
      `/${arn}`,
      `localhost:4566/${arn}`,
      `[::1]:4566/${arn}`,
      `/${ofSeveralRegions}`,
      `/${ofAlias}`,
    ];
    for (const kms of places.map((place) => `awskms://${place}`)) {
      expect(faultsOf(withAuthority({ key: { kms } }))).to.equal('');
    }
  });

  it('tells all faults at once with ERR_POLICY_INVALID, those beside unknown fields included', () => {
    const broken = policyOf({ images: [], mode: 'garbage', colour: 'red', authorities: [{ keyless: {} }] });
    expect(() => parseClusterImagePolicy(broken, 'n'))
      .to.throw(/test is invalid/)
      .with.property('code', 'ERR_POLICY_INVALID');
    for (const what of ['unknown field "colour"', 'spec.images', 'spec.mode', 'identities']) {
      expect(faultsOf(broken)).to.include(what);
    }
  });

  it('never throws anything but ERR_POLICY_INVALID, whatever it is given', () => {
    const spec = fc.object({
      key: fc.constantFrom('images', 'authorities', 'glob', 'keyless', 'key', 'static', 'policy', 'match'),
      maxDepth: 5,
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          spec.map((value) => policyOf(value)),
        ),
        (value) => {
          const { policy, faults } = readClusterImagePolicy(value, 'n');
          expect(policy === undefined).to.equal(faults.length > 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});
