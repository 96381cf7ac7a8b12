import { expect } from 'chai';
import { AppError, isAppError } from '../../../src/model/errors.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import { readPolicies } from '../../../src/commands/wiring/cluster-references.ts';
import type { ClusterPolicies } from '../../../src/commands/wiring/cluster-references.ts';

const { signal } = new AbortController();
const notFound = new AppError('ERR_KUBE_NOT_FOUND', 'not found', { kind: 'permanent' });

const policy = (name: string, spec: object): KubeObject => ({
  apiVersion: 'policy.sigstore.dev/v1alpha1',
  kind: 'ClusterImagePolicy',
  metadata: { name },
  spec,
});
const passing = { authorities: [{ static: { action: 'pass' } }] };

/** Reads a cluster of these objects, and notes which single ones are asked for. */
const readFrom = async (
  lists: Readonly<Record<string, readonly KubeObject[]>>,
  singles: Readonly<Record<string, object>> = {},
): Promise<{ read: ClusterPolicies; asked: readonly string[] }> => {
  const asked: string[] = [];
  const read = await readPolicies(
    {
      list: ({ plural }) => {
        const items = lists[plural];
        return items === undefined
          ? Promise.reject(notFound)
          : Promise.resolve({ items, resourceVersion: '1' });
      },
      get: ({ plural }, { namespace, name }) => {
        const key = `${plural} ${namespace}/${name}`;
        asked.push(key);
        const found = singles[key];
        return found === undefined
          ? Promise.reject(notFound)
          : Promise.resolve({ apiVersion: 'v1', kind: 'X', metadata: { name }, ...found });
      },
    },
    { namespace: 'tekton-chains', signal },
  );
  return { read, asked };
};
const codeOf = async (act: Promise<unknown>): Promise<string> =>
  act.then(
    () => 'none',
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );

describe('commands: policies of a cluster', () => {
  it('reads policies and rules, and asks for nothing that no policy refers to', async () => {
    const policies = [policy('a', { images: [{ glob: '**' }], ...passing })];
    const rules = {
      'configmaps tekton-chains/config-policy-controller': { data: { 'no-match-policy': 'warn' } },
    };
    const { read, asked } = await readFrom({ clusterimagepolicies: policies, trustroots: [] }, rules);
    expect(read.policies.map(({ name }) => name)).to.deep.equal(['a']);
    expect(read.broken).to.deep.equal([]);
    expect(read.noMatch).to.equal('warn');
    expect(asked).to.have.members([
      'configmaps tekton-chains/config-policy-controller',
      'chainwrightconfigs undefined/default',
    ]);
    expect(read.exceptions).to.deep.equal([]);
  });

  it('knows the exceptions that the settings of the cluster allow, and no others', async () => {
    const exceptionIn = (namespace: string): KubeObject => ({
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ImagePolicyException',
      metadata: { name: 'x', namespace, creationTimestamp: '2026-11-29T12:00:00Z' },
      spec: {
        ...{ policy: 'a', image: `r.example/a@sha256:${'a'.repeat(64)}`, reason: 'the pipeline is down' },
        ...{ requestedBy: 'a', approvedBy: 'b', expiresAt: '2026-11-29T13:00:00Z' },
      },
    });
    const lists = {
      ...{ clusterimagepolicies: [], trustroots: [] },
      imagepolicyexceptions: [exceptionIn('shop'), exceptionIn('other')],
    };
    const readBy = async (exceptions: unknown): Promise<readonly string[]> => {
      const singles = { 'chainwrightconfigs undefined/default': { spec: { exceptions } } };
      return (await readFrom(lists, singles)).read.exceptions.map(({ namespace }) => namespace);
    };
    expect(await readBy({ enabled: true, namespaces: ['shop'] })).to.deep.equal(['shop']);
    expect(await readBy({ enabled: true })).to.deep.equal([]);
    expect(await readBy({ enabled: 'perhaps', namespaces: ['shop'] })).to.deep.equal([]);
    expect(await readBy(undefined)).to.deep.equal([]);
  });

  it('denies what no policy matches where there are no rules', async () => {
    const { read } = await readFrom({ clusterimagepolicies: [], trustroots: [] });
    expect(read.noMatch).to.equal('deny');
  });

  it('lets a policy that cannot be read deny what it is about, as the webhook does', async () => {
    const policies = [policy('bad', { images: [{ glob: 'a.example/**' }], authorities: [{}] })];
    const { read } = await readFrom({ clusterimagepolicies: policies, trustroots: [] });
    expect(read.policies).to.deep.equal([]);
    const [broken] = read.broken;
    expect(broken).to.include({ name: 'bad', mode: 'enforce' });
    expect(broken?.fault).to.include({ code: 'ERR_POLICY_INVALID' });
    expect(broken?.globs.map(({ source }) => source)).to.deep.equal(['a.example/**']);
  });

  it('finds Secrets and ConfigMaps in its namespace, and tells absent ones by ERR_POLICY_REFERENCE', async () => {
    const { read } = await readFrom(
      { clusterimagepolicies: [], trustroots: [] },
      { 'secrets tekton-chains/key': { data: { 'cosign.pub': Buffer.from('PEM').toString('base64') } } },
    );
    expect(await read.references.findSecret('key')).to.equal('PEM');
    expect(await codeOf(read.references.findSecret('other'))).to.equal('ERR_POLICY_REFERENCE');
    expect(await codeOf(read.references.findConfigMapEntry('rules', 'a'))).to.equal('ERR_POLICY_REFERENCE');
  });

  it('finds TrustRoots by name, and refuses one that cannot be read with ERR_POLICY_INVALID', async () => {
    const root = {
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'TrustRoot',
      metadata: { name: 'r' },
      spec: {},
    };
    const { read } = await readFrom({ clusterimagepolicies: [], trustroots: [root] });
    expect(read.references.findNamedTrustRoot('other')).to.equal(undefined);
    const find = Promise.resolve().then(() => read.references.findNamedTrustRoot('r'));
    expect(await codeOf(find)).to.equal('ERR_POLICY_INVALID');
  });

  it('refuses a cluster without the kinds with ERR_POLICY_CRD', async () => {
    expect(await codeOf(readFrom({ trustroots: [] }))).to.equal('ERR_POLICY_CRD');
    expect(await codeOf(readFrom({ clusterimagepolicies: [] }))).to.equal('ERR_POLICY_CRD');
  });
});
