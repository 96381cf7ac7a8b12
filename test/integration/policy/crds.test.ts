import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import { readClusterImagePolicy } from '../../../src/policy/cluster-image-policy.ts';
import { formatFieldFaults } from '../../../src/policy/field-fault.ts';
import { readTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import { KubeApi } from '../../support/kube-api.ts';
import { badPolicies, badTrustRoots, goodPolicies, goodTrustRoots } from './policy-objects.ts';

const checkout = join(import.meta.dirname, '..', '..', '..');
const group = '/apis/policy.sigstore.dev';
const versions = ['v1alpha1', 'v1beta1'] as const;
const namespace = 'tekton-chains';

describe('the CRDs of policy.sigstore.dev', () => {
  let api: KubeApi;
  const made: string[] = [];

  before(async () => {
    const { kubeconfig } = await openStack();
    api = await KubeApi.open(kubeconfig);
    for (const plural of ['clusterimagepolicies', 'trustroots']) {
      const file = join(checkout, 'crds', `policy.sigstore.dev_${plural}.yaml`);
      await kubectl([
        'apply',
        '--server-side',
        '--force-conflicts',
        '--field-manager=chainwright-stack',
        '-f',
        file,
      ]);
      await kubectl([
        'wait',
        '--for=condition=Established',
        '--timeout=30s',
        `crd/${plural}.policy.sigstore.dev`,
      ]);
    }
  });

  after(async () => {
    for (const path of made) await api.delete(path);
    await api[Symbol.asyncDispose]();
  });

  const policyOf = (spec: object, version: string, name = `crds-${randomUUID().slice(0, 8)}`): object => ({
    apiVersion: `policy.sigstore.dev/${version}`,
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec,
  });
  const trustRootOf = (spec: object): object => ({
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name: `crds-${randomUUID().slice(0, 8)}` },
    spec,
  });
  /** What the server says of an object that it is not to keep; empty if it takes it. */
  const refusalOf = async (object: object, place: string): Promise<string> => {
    try {
      await api.create(`${group}/${place}?dryRun=All&fieldValidation=Strict`, object);
      return '';
    } catch (error) {
      return String(error);
    }
  };

  describe('a ClusterImagePolicy', () => {
    for (const [what, spec] of Object.entries(goodPolicies)) {
      it(`is taken in both versions: ${what}`, async () => {
        for (const version of versions) {
          const policy = policyOf(spec, version);
          expect(await refusalOf(policy, `${version}/clusterimagepolicies`)).to.equal('');
          expect(formatFieldFaults(readClusterImagePolicy(policy, namespace).faults)).to.equal('');
        }
      });
    }

    for (const [what, [spec, says]] of Object.entries(badPolicies)) {
      it(`is refused in both versions, by the code as well: ${what}`, async () => {
        for (const version of versions) {
          const policy = policyOf(spec, version);
          expect(await refusalOf(policy, `${version}/clusterimagepolicies`)).to.include(says);
          expect(readClusterImagePolicy(policy, namespace).faults).not.to.deep.equal([]);
        }
      });
    }

    it("is taken as the runbook's, byte for byte", async () => {
      const text = await readFile(
        join(checkout, 'config', 'samples', 'golemtrust-production-policy.yaml'),
        'utf8',
      );
      const said = await kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', '-'], text);
      expect(said).to.include('golemtrust-production-policy');
      expect(await refusalOf(parse(text) as object, 'v1alpha1/clusterimagepolicies')).to.match(
        /^$|AlreadyExists/,
      );
    });

    it('is the same in both versions, whichever it was written in', async () => {
      for (const [written, read] of [versions, [...versions].reverse() as [string, string]] as const) {
        const spec = goodPolicies['attestations with and without policy'] ?? {};
        const name = `crds-${randomUUID().slice(0, 8)}`;
        made.push(`${group}/v1alpha1/clusterimagepolicies/${name}`);
        await api.create(`${group}/${written}/clusterimagepolicies`, policyOf(spec, written, name));
        const other = await api.get(`${group}/${read}/clusterimagepolicies/${name}`);
        expect(other.apiVersion).to.equal(`policy.sigstore.dev/${read}`);
        expect(other['spec']).to.deep.equal(spec);
        await api.mergePatch(`${group}/${read}/clusterimagepolicies/${name}`, { spec: { mode: 'warn' } });
        const back = await api.get(`${group}/${written}/clusterimagepolicies/${name}`);
        expect(back['spec']).to.deep.equal({ ...spec, mode: 'warn' });
      }
    });

    it('keeps a status of its own with conditions of any name, and shows it in columns', async () => {
      const name = `crds-${randomUUID().slice(0, 8)}`;
      const path = `${group}/v1alpha1/clusterimagepolicies/${name}`;
      made.push(path);
      await api.create(
        `${group}/v1alpha1/clusterimagepolicies`,
        policyOf({ ...goodPolicies['the least'], mode: 'warn' }, 'v1alpha1', name),
      );
      const lastTransitionTime = '2026-11-22T00:00:00Z';
      const conditions = ['Ready', 'KeysInlined', 'PoliciesInlined', 'ConfigMapUpdated', 'Other'].map(
        (type) => ({
          type,
          status: 'False',
          reason: 'InForce',
          message: 'all is well',
          lastTransitionTime,
        }),
      );
      // What the server made of it; a controller that runs beside this test may write another status at once.
      const found = await api.mergePatch(`${path}/status`, {
        status: { observedGeneration: 1, conditions },
        spec: { mode: 'enforce' },
      });
      expect(found['status']).to.deep.equal({ observedGeneration: 1, conditions });
      expect(found['spec']).to.have.property('mode', 'warn');
      const printed = await kubectl(['get', 'cip', name]);
      expect(printed).to.match(
        /NAME\s+READY\s+REASON\s+MODE\s+AGE\n\S+\s+(?:True|False|Unknown)\s+\w+\s+warn\s+\S+\n/,
      );
    });
  });

  describe('a TrustRoot', () => {
    for (const [what, spec] of Object.entries(goodTrustRoots)) {
      it(`is taken: ${what}`, async () => {
        expect(await refusalOf(trustRootOf(spec), 'v1alpha1/trustroots')).to.equal('');
      });
    }

    for (const [what, [spec, says]] of Object.entries(badTrustRoots)) {
      it(`is refused, by the code as well: ${what}`, async () => {
        const object = trustRootOf(spec);
        expect(await refusalOf(object, 'v1alpha1/trustroots')).to.include(says);
        expect(readTrustRootObject(object).faults).not.to.deep.equal([]);
      });
    }

    it('may be large', async () => {
      const repository = { root: 'e30=', mirrorFS: Buffer.alloc(900 * 1024, 7).toString('base64') };
      expect(await refusalOf(trustRootOf({ repository }), 'v1alpha1/trustroots')).to.equal('');
    });
  });
});
