import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { parseClusterImagePolicy } from '../../../../src/policy/cluster-image-policy.ts';
import type { CompiledClusterPolicy } from '../../../../src/policy/compiled-policy.ts';
import type { PolicyEngine } from '../../../../src/policy/evaluation/policy-engine.ts';
import { exportToKyverno } from '../../../../src/policy/kyverno/image-validating-policy.ts';
import type { ExportedPolicy } from '../../../../src/policy/kyverno/image-validating-policy.ts';
import type { ExportOptions } from '../../../../src/policy/kyverno/kyverno-types.ts';
import { formatLimitation } from '../../../../src/policy/kyverno/limitation.ts';
import { exportUnmatched } from '../../../../src/policy/kyverno/unmatched-policy.ts';
import { compileClusterPolicy } from '../../../../src/policy/policy-compiler.ts';
import { parseTrustRoot } from '../../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../../src/signing/trust-root.ts';
import { trustMaterialDocument } from '../../../../src/signing/trust-material-document.ts';
import { openTestEngine, patience } from '../test-engine.ts';

const fixtures = new URL('../../../fixtures/', import.meta.url);
const options: ExportOptions = {
  version: 'v1',
  namespaceSelector: { matchLabels: { 'sigstore-policy': 'enforce' } },
  unchangedImages: 'admit',
  exceptions: 'off',
};

describe('policies for Kyverno', () => {
  let engine: PolicyEngine;
  let trustRoot: TrustRoot;

  before(async () => {
    engine = openTestEngine();
    trustRoot = parseTrustRoot(await readFile(new URL('blobs/trusted_root.json', fixtures), 'utf8'));
  });
  after(() => engine.close());

  function compile(value: unknown): Promise<CompiledClusterPolicy> {
    const none = (): Promise<never> => Promise.reject(new Error('nothing is referred to'));
    return compileClusterPolicy(parseClusterImagePolicy(value, 'tekton-chains'), {
      engine,
      references: {
        findTrustRoot: () => Promise.resolve(trustRoot),
        findSecret: none,
        findConfigMapEntry: none,
        fetchRemotePolicy: none,
        findKmsKey: none,
      },
      signal: patience,
    });
  }

  async function exported(value: unknown, more: Partial<ExportOptions> = {}): Promise<ExportedPolicy> {
    return exportToKyverno(await compile(value), { ...options, ...more });
  }

  const withAuthorities = (authorities: readonly object[], more: object = {}, name = 'test'): object => ({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob: 'registry.example/**' }], authorities, ...more },
  });
  const identities = [{ issuer: 'https://issuer.example', subject: 'somebody@example.com' }];
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = publicKey.export({ format: 'pem', type: 'spki' }).toString();
  const lastCheck = ({ policy }: ExportedPolicy): string => policy.spec.validations.at(-1)?.expression ?? '';

  /** With UPDATE_GOLDEN set, writes what comes out instead of comparing: read the difference before you commit it. */
  for (const name of ['runbook', 'keys', 'limits']) {
    it(`${name}.yaml: as in test/fixtures/kyverno/${name}.kyverno.yaml`, async () => {
      const value: unknown = parse(await readFile(new URL(`kyverno/${name}.yaml`, fixtures), 'utf8'));
      const { policy, limitations } = await exported(value);
      const trusted = JSON.stringify(trustMaterialDocument(trustRoot.material));
      const text = stringify(
        { limitations: limitations.map(formatLimitation), policy },
        { lineWidth: 0, aliasDuplicateObjects: false },
      )
        .replaceAll(JSON.stringify(trusted), 'TRUSTED ROOT')
        .replaceAll(`'${trusted}'`, 'TRUSTED ROOT');
      const golden = new URL(`kyverno/${name}.kyverno.yaml`, fixtures);
      if (process.env['UPDATE_GOLDEN'] !== undefined) await writeFile(golden, text);
      expect(text).to.equal(await readFile(golden, 'utf8'));
    });
  }

  it('the trust root comes out as it went in', () => {
    const document = trustMaterialDocument(trustRoot.material);
    const again = parseTrustRoot(JSON.stringify(document)).material;
    expect(trustMaterialDocument(again)).to.deep.equal(document);
    expect(again.tlogs.map(({ logID }) => logID.toString('hex'))).to.deep.equal(
      trustRoot.material.tlogs.map(({ logID }) => logID.toString('hex')),
    );
  });

  it("an image's signature is never any attestation: bundles are asked for cosign's statement, tags without bundles", async () => {
    const { policy } = await exported(withAuthorities([{ keyless: { identities } }]));
    const check = policy.spec.validations.at(-1)?.expression ?? '';
    expect(check).to.include(
      'verifyAttestationSignatures(i, attestations.a0signature, [attestors.a0id0]) > 0',
    );
    const [signed] = policy.spec.attestations;
    expect(signed?.intoto.type).to.equal('https://sigstore.dev/cosign/sign/v1');
    const asked = /verifyImageSignatures\(i, \[attestors\.(\w+)\]\)/.exec(check)?.[1];
    const tags = policy.spec.attestors.find(({ name }) => name === asked);
    expect(tags?.cosign.keyless?.identities).to.have.length(2);
    const keys = await exported(withAuthorities([{ key: { data } }]));
    expect(lastCheck(keys)).not.to.include('verifyImageSignatures');
  });

  it('authorities are joined by OR, attestations by AND, and each payload is read right after it was verified', async () => {
    const attestations = ['a', 'b'].map((name) => ({
      name,
      predicateType: `https://example.com/${name}`,
      policy: { type: 'cue', data: `predicate: x: "${name}"` },
    }));
    const both = await exported(
      withAuthorities([
        { name: 'one', keyless: { identities }, attestations },
        { name: 'two', key: { data }, attestations: attestations.slice(0, 1) },
      ]),
    );
    const check = lastCheck(both);
    expect(check.match(/ > 0 && cel\.bind\(p, extractPayload\(i, attestations\.\w+\)/g)).to.have.length(3);
    for (const [, kind, payload] of check.matchAll(
      /verifyAttestationSignatures\(i, attestations\.(\w+), \[attestors\.\w+\]\) > 0 && cel\.bind\(p, extractPayload\(i, attestations\.(\w+)\)/g,
    )) {
      expect(kind).to.equal(payload);
    }
    expect(both.policy.spec.attestations.map(({ name }) => name)).to.deep.equal([
      'a0signature',
      'a0type0',
      'a0type1',
      'a1signature',
      'a1type0',
    ]);
  });

  const never: readonly (readonly [string, object, string])[] = [
    [
      'a registry as source',
      { keyless: { identities }, source: [{ oci: 'registry.example.com' }] },
      'source-registry',
    ],
    ['a timestamp with a key', { key: { data }, rfc3161timestamp: {} }, 'timestamp'],
    ['a key with signatures at tags', { key: { data }, signatureFormat: 'legacy' }, 'signature-format'],
    [
      'Rego',
      {
        keyless: { identities },
        attestations: [
          {
            name: 'x',
            predicateType: 'https://e.example/x',
            policy: { type: 'rego', data: 'package sigstore\nisCompliant { true }' },
          },
        ],
      },
      'rego',
    ],
    [
      'a predicate type that is no URI',
      { keyless: { identities }, attestations: [{ name: 'x', predicateType: 'mine' }] },
      'predicate-type',
    ],
    [
      "cosign's signature as an attestation",
      {
        keyless: { identities },
        attestations: [{ name: 'x', predicateType: 'https://sigstore.dev/cosign/sign/v1' }],
      },
      'predicate-type',
    ],
    [
      'rules about subjects',
      {
        keyless: { identities },
        attestations: [
          {
            name: 'x',
            predicateType: 'https://e.example/x',
            policy: { type: 'cue', data: 'subject: [...{uri: "x"}]' },
          },
        ],
      },
      'cue',
    ],
  ];
  for (const [what, authority, code] of never) {
    it(`${what}: the authority never passes, and why is named`, async () => {
      const result = await exported(withAuthorities([authority]));
      expect(lastCheck(result)).to.match(/^images\.containers\.all\(i, !cel\.bind\(n, .*\)\)$/);
      expect(result.limitations.map((one) => one.code)).to.include(code);
    });
  }

  it('a policy that is broken denies what it is about', async () => {
    const compiled = await compile(withAuthorities([{ key: { data } }]));
    const fault = await compileClusterPolicy(
      parseClusterImagePolicy(withAuthorities([{ keyless: { identities, trustRootRef: 'gone' } }]), 'x'),
      {
        engine,
        references: {
          findTrustRoot: () => Promise.resolve(undefined),
          findSecret: () => Promise.reject(new Error()),
          findConfigMapEntry: () => Promise.reject(new Error()),
          fetchRemotePolicy: () => Promise.reject(new Error()),
          findKmsKey: () => Promise.reject(new Error()),
        },
        signal: patience,
      },
    );
    const { policy, limitations } = exportToKyverno({ ...compiled, ...fault }, options);
    expect(policy.spec.validations.at(-1)?.expression).to.match(/^images\.containers\.all\(i, !cel\.bind/);
    expect(limitations.map(({ code }) => code)).to.include('policy-broken');
  });

  it('an image that no policy is about is denied, warned of or admitted, as the rule says', async () => {
    const compiled = await compile(
      withAuthorities([{ static: { action: 'pass' } }], { match: [{ version: 'v1', resource: 'pods' }] }),
    );
    const unmatched = exportUnmatched([compiled], 'deny', options);
    expect(unmatched?.spec.validationActions).to.deep.equal(['Deny']);
    expect(unmatched?.spec.validations.at(-1)?.expression).to.include('object.apiVersion == "v1"');
    expect(exportUnmatched([compiled], 'warn', options)?.spec.validationActions).to.deep.equal(['Warn']);
    expect(exportUnmatched([compiled], 'allow', options)).to.equal(undefined);
    expect(exportUnmatched([], 'deny', options)?.spec.validations.at(-1)?.expression).to.include(', false)');
  });

  it('an update is passed over only if it brings no image, or when the object is on its way out', async () => {
    const policy = withAuthorities([{ key: { data } }]);
    const condition = async (unchangedImages: 'admit' | 'judge'): Promise<string> =>
      (await exported(policy, { unchangedImages })).policy.spec.matchConditions[0]?.expression ?? '';
    expect(await condition('admit')).not.to.include('deletionTimestamp');
    expect(await condition('judge')).to.include('has(oldObject.metadata.deletionTimestamp)');
  });

  it('exceptions that are honoured elsewhere are a limitation, unless the policy forbids them', async () => {
    const value = (annotations: object): object => ({
      ...withAuthorities([{ key: { data } }]),
      metadata: { name: 'test', annotations },
    });
    const codesOf = async (annotations: object, exceptions: ExportOptions['exceptions']) =>
      (await exported(value(annotations), { exceptions })).limitations.map(({ code }) => code);
    expect(await codesOf({}, 'honoured')).to.include('exceptions');
    expect(await codesOf({}, 'off')).not.to.include('exceptions');
    const forbidding = { 'policy.chainwright.dev/exceptions': 'forbidden' };
    expect(await codesOf(forbidding, 'honoured')).not.to.include('exceptions');
  });

  it('hostile names, identities and rules stay text', async () => {
    const hostile = fc.string({
      unit: fc.constantFrom('"', '\\', ')', '(', '|', '&', '\n', "'", 'a', ' ', '{', '$'),
      minLength: 1,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (name, text) => {
        const value = withAuthorities([
          {
            name,
            keyless: { identities: [{ issuer: text, subject: text }] },
            attestations: [
              {
                name,
                predicateType: `https://example.com/${encodeURIComponent(text)}`,
                policy: { type: 'cue', data: `predicate: ${JSON.stringify(name)}: ${JSON.stringify(text)}` },
              },
            ],
          },
        ]);
        const { policy } = await exported(value);
        const check = policy.spec.validations.at(-1)?.expression ?? '';
        const skeleton = check.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
        expect(skeleton).to.match(/^[\w ".,:()[\]&|!?=<>+-]*$/);
        const plain = (
          await exported(withAuthorities([{ ...authorityOf('x', 'x') }]))
        ).policy.spec.validations.at(-1);
        expect(skeleton).to.equal(plain?.expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
      }),
      { numRuns: 100 },
    );
  });

  const authorityOf = (name: string, text: string): object => ({
    name,
    keyless: { identities: [{ issuer: text, subject: text }] },
    attestations: [
      {
        name,
        predicateType: 'https://example.com/x',
        policy: { type: 'cue', data: `predicate: ${JSON.stringify(name)}: ${JSON.stringify(text)}` },
      },
    ],
  });
});
