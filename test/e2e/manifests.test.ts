import { expect } from 'chai';
import { kubectl, openStack } from '../../hack/stack/stack.ts';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { KubeApi } from '../support/kube-api.ts';
import type { ChartObject } from '../support/pods/rendered-chart.ts';
import { overlays, renderKustomization } from '../support/pods/rendered-kustomization.ts';

interface Workload {
  readonly template: { readonly metadata: object; readonly spec: object };
}

describe('config/', () => {
  let api: KubeApi;

  before(async () => {
    const { kubeconfig } = await openStack();
    api = await KubeApi.open(kubeconfig);
    await kubectl(['apply', '--server-side', '--force-conflicts', '-k', 'config/cluster']);
    // Tried, an overlay does not make the namespace that it has objects for.
    await kubectl(['apply', '--server-side', '-f', 'config/monitor/namespace.yaml']);
  });

  after(async () => {
    await api[Symbol.asyncDispose]();
  });

  for (const overlay of overlays) {
    describe(`overlays/${overlay}`, () => {
      let objects: readonly ChartObject[];

      before(async () => {
        objects = await renderKustomization(`config/overlays/${overlay}`);
      });

      it('is taken by the API server, every field of it', async () => {
        const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
        const args = ['apply', '--server-side', '--force-conflicts', '--validate=strict', '--dry-run=server'];
        const answer = await kubectl([...args, '-f', '-'], list);
        expect(answer.trimEnd().split('\n')).to.have.length(objects.length);
      });

      it('makes Pods that are let into a namespace with the restricted Pod security standard', async () => {
        const deployments = objects.filter(({ kind }) => kind === 'Deployment');
        expect(deployments).to.not.be.empty;
        for (const { metadata, spec } of deployments) {
          const { template } = spec as unknown as Workload;
          const pod = {
            metadata: { ...template.metadata, name: metadata.name },
            // Of the accounts this one is there before the rest is applied.
            spec: { ...template.spec, serviceAccountName: controllerAccount.name },
          };
          const path = `/api/v1/namespaces/${controllerAccount.namespace}/pods?dryRun=All`;
          const { refusal } = await api.attempt(() => api.create(path, pod));
          expect(refusal, metadata.name).to.equal(undefined);
        }
      });
    });
  }
});
