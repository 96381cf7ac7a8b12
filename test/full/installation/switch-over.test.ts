import { expect } from 'chai';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { installChains, removeChains } from '../../support/chains-release.ts';
import { runDocumented } from '../../support/documented-commands.ts';
import { freePort } from '../../support/free-port.ts';
import { KubeApi } from '../../support/kube-api.ts';
import type { KubeObject } from '../../support/kube-api.ts';
import { openStackOverlay } from '../../support/pods/stack-overlay.ts';
import type { StackOverlay } from '../../support/pods/stack-overlay.ts';

const inNamespace = (path: string): string => path.replace('NS', 'namespaces/tekton-chains');

interface Selecting extends KubeObject {
  readonly spec: { readonly selector: unknown };
}

describe('a cluster into which Tekton Chains was installed from its release', () => {
  let stack: Stack;
  let api: KubeApi;
  let overlay: StackOverlay;

  before(async () => {
    stack = await openStack();
    api = await KubeApi.open(stack.kubeconfig);
    await installChains();
    await kubectl(['apply', '--server-side', '-f', 'config/monitor/namespace.yaml']);
    overlay = await openStackOverlay({ stack, name: 'switch-over', port: await freePort() });
  }).timeout(300_000);

  after(async () => {
    await runDocumented(stack, 'Uninstall', overlay.folder);
    await removeChains();
    await overlay[Symbol.asyncDispose]();
    await api[Symbol.asyncDispose]();
  }).timeout(120_000);

  it('is ours after the documented commands, with what users put into it', async () => {
    await runDocumented(stack, 'From Tekton Chains in an afternoon', overlay.folder);

    const name = { 'app.kubernetes.io/name': 'chainwright-controller' };
    const deployments = inNamespace('/apis/apps/v1/NS/deployments');
    const { spec } = await api.get<Selecting>(`${deployments}/tekton-chains-controller`);
    expect(spec.selector).to.deep.equal({ matchLabels: name });
    const service = await api.get<Selecting>(inNamespace('/api/v1/NS/services/tekton-chains-metrics'));
    expect(service.spec.selector).to.deep.equal(name);
    for (const kept of ['configmaps/chains-config', 'secrets/signing-secrets']) {
      expect(await api.find(inNamespace(`/api/v1/NS/${kept}`)), kept).to.not.equal(undefined);
    }
  }).timeout(120_000);

  it('leaves the ServiceAccount no right but ours', async () => {
    // What users grant it in namespaces of their own is theirs.
    const inItsOwn = ['--namespace', 'tekton-chains', '-o', 'json'];
    const roles = await kubectl(['get', 'clusterrolebindings,rolebindings', ...inItsOwn]);
    const { items } = JSON.parse(roles) as {
      items: { roleRef: { name: string }; subjects?: { name: string }[] }[];
    };
    const granted = items
      .filter(({ subjects = [] }) => subjects.some((subject) => subject.name === 'tekton-chains-controller'))
      .map(({ roleRef }) => roleRef.name);
    expect(new Set(granted)).to.deep.equal(new Set(['chainwright-controller']));
  }).timeout(30_000);
});
