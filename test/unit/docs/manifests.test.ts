import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';

const root = new URL('../../../', import.meta.url);
const parts = ['base', 'webhook', 'monitor'] as const;

type Labels = Readonly<Record<string, string>>;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  readonly spec?: {
    readonly selector?: Labels & { readonly matchLabels?: Labels };
    readonly podSelector?: { readonly matchLabels: Labels };
    readonly policyTypes?: readonly string[];
    readonly egress?: readonly { readonly ports: readonly { readonly port: number | string }[] }[];
    readonly ports?: readonly { readonly name: string }[];
    readonly template?: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly securityContext: object;
  readonly topologySpreadConstraints: readonly object[];
  readonly containers: readonly {
    readonly image: string;
    readonly resources: { readonly requests: Labels; readonly limits: Labels };
    readonly securityContext: object;
  }[];
}

/** What a part's kustomization takes of its own folder. */
function manifestsOf(part: string): readonly Manifest[] {
  const folder = new URL(`config/${part}/`, root);
  const { resources } = parse(readFileSync(new URL('kustomization.yaml', folder), 'utf8')) as {
    resources: readonly string[];
  };
  return resources.flatMap((name) =>
    parseAllDocuments(readFileSync(new URL(name, folder), 'utf8')).map((one) => one.toJS() as Manifest),
  );
}

describe('the manifests in config/', () => {
  for (const part of parts) {
    describe(part, () => {
      const manifests = manifestsOf(part);
      const deployment = manifests.find(({ kind }) => kind === 'Deployment');
      const { labels = {} } = deployment?.spec?.template?.metadata ?? {};
      const pod = deployment?.spec?.template?.spec;

      it('run a Pod that has no more rights on its node than it needs', () => {
        expect(pod?.hostNetwork).to.equal(undefined);
        expect(pod?.securityContext).to.deep.include({
          runAsNonRoot: true,
          runAsUser: 65_532,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        expect(pod?.containers.map(({ securityContext }) => securityContext)).to.deep.equal([
          {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
        ]);
      });

      it('say what it needs, how it fares and where it may run', () => {
        for (const container of pod?.containers ?? []) {
          expect(container).to.include.keys('startupProbe', 'livenessProbe', 'readinessProbe');
          expect(container.image).to.equal('chainwright');
          expect(container.resources.requests).to.have.keys('cpu', 'memory');
          expect(container.resources.limits).to.have.keys('memory');
        }
        expect(pod?.topologySpreadConstraints).to.not.be.empty;
      });

      it('guard it: a disruption budget, a network policy, metrics to be scraped', () => {
        const has = (kind: string, selectorOf: (manifest: Manifest) => Labels | undefined): boolean =>
          manifests.some((manifest) => {
            const selector = manifest.kind === kind ? selectorOf(manifest) : undefined;
            return (
              selector !== undefined &&
              Object.entries(selector).every(([name, value]) => labels[name] === value)
            );
          });
        expect(has('PodDisruptionBudget', ({ spec }) => spec?.selector?.matchLabels)).to.equal(true);
        expect(has('NetworkPolicy', ({ spec }) => spec?.podSelector?.matchLabels)).to.equal(true);
        expect(has('Service', ({ spec }) => spec?.selector)).to.equal(true);
        const policy = manifests.find(({ kind }) => kind === 'NetworkPolicy');
        expect(policy?.spec?.policyTypes).to.deep.equal(['Ingress', 'Egress']);
        const service = manifests.find(({ kind }) => kind === 'Service');
        expect(service?.spec?.ports?.map(({ name }) => name)).to.include('metrics');
        expect(service?.metadata.labels).to.include({ 'app.kubernetes.io/part-of': 'chainwright' });
      });
    });
  }

  it('let every Pod ask the Rekor of our own chart in the same cluster, by the port of its Pod', () => {
    const values = parse(readFileSync(new URL('charts/rekor/values.yaml', root), 'utf8')) as {
      server: { port: number };
    };
    for (const part of parts) {
      const policy = manifestsOf(part).find(({ kind }) => kind === 'NetworkPolicy');
      const ports = policy?.spec?.egress?.flatMap((rule) => rule.ports.map(({ port }) => port));
      expect(ports, part).to.include(values.server.port);
    }
  });

  it('give authorities of your own to every Pod that asks a server', () => {
    const file = new URL('config/components/private-ca/kustomization.yaml', root);
    const { patches } = parse(readFileSync(file, 'utf8')) as {
      patches: readonly { readonly target: { readonly labelSelector: string } }[];
    };
    const chosen = /in \((.+)\)$/.exec(patches[0]?.target.labelSelector ?? '')?.[1]?.split(', ');
    const deployments = parts.flatMap(manifestsOf).filter(({ kind }) => kind === 'Deployment');
    const names = deployments.map(({ metadata }) => metadata.labels?.['app.kubernetes.io/name']);
    expect(chosen).to.have.members(names);
  });

  it('hold every type of crds/', () => {
    const files = readdirSync(new URL('crds/', root)).filter((name) => name.endsWith('.yaml'));
    const { resources } = parse(readFileSync(new URL('crds/Kustomization', root), 'utf8')) as {
      resources: readonly string[];
    };
    expect(resources).to.have.members(files);
  });
});
