import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { run } from '../../../hack/stack/process/run.ts';
import { kubectl, openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../../support/chainwright-process.ts';
import { podsOf } from '../../support/pods/pod-objects.ts';
import { chartFolder, helm, renderChart } from '../../support/pods/rendered-chart.ts';
import type { ChartObject } from '../../support/pods/rendered-chart.ts';
import { overlays, renderKustomization } from '../../support/pods/rendered-kustomization.ts';

const harbor = {
  privateCa: { configMap: 'private-ca' },
  registryCredentials: { secret: 'registry-credentials' },
};
const enabled = { enabled: true };

/** The values that say what an overlay says. */
const valuesOf: Readonly<Record<(typeof overlays)[number], object>> = {
  public: {},
  harbor,
  'self-hosted': {
    ...harbor,
    trustedRoot: { configMap: 'sigstore-trusted-root' },
    rekorUrl: 'https://rekor.golems.internal',
    settings: {
      provenance: { builderId: 'https://tekton.golems.internal/chains/v2' },
      signer: {
        fulcio: { url: 'https://fulcio.golems.internal', issuer: 'https://kubernetes.golems.internal' },
      },
    },
  },
};

/** What helm must refuse, and what it has to say. */
const badValues: readonly (readonly [object, RegExp])[] = [
  [{ webhok: {} }, /additional properties 'webhok' not allowed/],
  [{ image: { digest: 'sha256:abc' } }, /'\/image\/digest'/],
  [{ image: { repository: 'harbor.golems.internal/chainwright@sha256:abc' } }, /'\/image\/repository'/],
  [{ rekorUrl: 'rekor.golems.internal' }, /'\/rekorUrl'/],
  [{ privateCa: { configMap: 'Private CA' } }, /'\/privateCa\/configMap'/],
  [{ controller: { replicas: 'one' } }, /'\/controller\/replicas'/],
  [{ webhook: { extraArgs: ['log-level debug'] } }, /'\/webhook\/extraArgs\/0'/],
];

const keyOf = ({ kind, metadata }: ChartObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
const byKey = (objects: readonly ChartObject[]): Readonly<Record<string, ChartObject>> =>
  Object.fromEntries(objects.map((object) => [keyOf(object), object]));

describe('charts/chainwright', function () {
  let stack: Stack;
  let folder: string;

  before(async () => {
    stack = await openStack();
    folder = await mkdtemp(join(tmpdir(), 'chainwright-chart-'));
    await kubectl(['apply', '--server-side', '--force-conflicts', '-k', 'config/cluster']);
    await kubectl(['apply', '--server-side', '-f', 'config/monitor/namespace.yaml']);
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  const render = (values: object, namespace = 'tekton-chains'): Promise<readonly ChartObject[]> =>
    renderChart(stack, { chart: 'chainwright', namespace, values });
  const dryRun = (objects: readonly ChartObject[]): Promise<string> => {
    // Types of the Prometheus operator are not here.
    const items = objects.filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'));
    const args = ['apply', '--server-side', '--force-conflicts', '--validate=strict', '--dry-run=server'];
    return kubectl([...args, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  };

  it('passes helm lint', async () => {
    const { code, stdout } = await helm(stack, ['lint', '--strict', chartFolder('chainwright')]);
    expect(code, stdout).to.equal(0);
  });

  it('has the version of the package', async () => {
    const read = (file: string): Promise<string> => readFile(join(checkout, file), 'utf8');
    const { version } = JSON.parse(await read('package.json')) as { version: string };
    const chart = parse(await read('charts/chainwright/Chart.yaml')) as object;
    expect(chart).to.include({ version, appVersion: version });
  });

  for (const overlay of overlays) {
    it(`renders the objects of config/overlays/${overlay}, to the last field`, async () => {
      const objects = await render(valuesOf[overlay]);
      expect(byKey(objects)).to.deep.equal(byKey(await renderKustomization(`config/overlays/${overlay}`)));
      expect(objects.length).to.be.greaterThan(30);
    });
  }

  it('renders the optional parts as the components of config/ do, and the image that is asked for', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const parts = ['service-monitors', 'alert-rules', 'grafana-dashboard'];
    const there = (path: string): string => relative(folder, join(checkout, 'config', path));
    const kustomization = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [there('overlays/public'), there('kyverno')],
      components: parts.map((part) => there(`components/${part}`)),
      images: [{ name: 'chainwright', newName: 'harbor.golems.internal/golem-trust/chainwright', digest }],
    };
    await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization));
    const objects = await render({
      image: { repository: 'harbor.golems.internal/golem-trust/chainwright', digest },
      ...{ serviceMonitors: enabled, alertRules: enabled, grafanaDashboard: enabled, kyverno: enabled },
    });
    expect(byKey(objects)).to.deep.equal(byKey(await renderKustomization(folder)));
    await dryRun(objects);
  });

  it('brings the types of crds/', async () => {
    const types = await run(join(stack.bin, 'helm'), ['show', 'crds', chartFolder('chainwright')]);
    const names = [...types.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name]) => name);
    expect(names).to.include.members([
      'chainwrightconfigs.chainwright.dev',
      'trustroots.policy.sigstore.dev',
    ]);
  });

  it('lays every value over the Deployments, and the API server takes what comes of it', async () => {
    const tuned = {
      resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } },
      extraArgs: ['--log-level=debug'],
      extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy:3128' }],
      nodeSelector: { disk: 'ssd' },
      tolerations: [{ operator: 'Exists' }],
      affinity: { nodeAffinity: {} },
    };
    const objects = await render({
      ...valuesOf['self-hosted'],
      ...{
        controller: { ...tuned, replicas: 3 },
        webhook: { ...tuned, replicas: 5 },
        monitor: { ...tuned, replicas: 1 },
      },
      imagePullSecrets: [{ name: 'pull' }],
    });
    await dryRun(objects);
    const replicas = objects
      .filter(({ kind }) => kind === 'Deployment')
      .map(({ spec }) => spec?.['replicas']);
    expect(replicas).to.have.members([3, 5, 1]);
    for (const { name, spec } of podsOf(objects)) {
      const [container] = spec.containers;
      expect(container, name).to.deep.include({ resources: tuned.resources });
      expect(container?.args, name).to.include('--log-level=debug');
      expect(container?.env, name).to.deep.include(tuned.extraEnv[0]);
      const { nodeSelector, tolerations, affinity } = tuned;
      expect(spec, name).to.deep.include({
        nodeSelector,
        tolerations,
        affinity,
        imagePullSecrets: [{ name: 'pull' }],
      });
    }
  });

  it('leaves out what is switched off', async () => {
    const off = { enabled: false };
    const objects = await render({
      webhook: off,
      monitor: off,
      networkPolicies: off,
      podDisruptionBudgets: off,
    });
    const kinds = new Set(objects.map(({ kind }) => kind));
    expect(kinds).to.deep.equal(
      new Set([
        'ServiceAccount',
        'ClusterRole',
        'ClusterRoleBinding',
        'Role',
        'RoleBinding',
        'Service',
        'Deployment',
      ]),
    );
    expect(JSON.stringify(objects)).to.not.include('chainwright-webhook');
  });

  it('goes into another namespace as a whole, and its processes know', async () => {
    const objects = await render(
      { serviceMonitors: enabled, alertRules: enabled, grafanaDashboard: enabled },
      'signing',
    );
    const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace));
    expect(namespaces).to.deep.equal(new Set([undefined, 'signing', 'chainwright-monitor', 'default']));
    const rest = JSON.stringify(objects).replaceAll(/tekton-chains-(?:controller|metrics)/g, '');
    expect(rest).to.not.include('"tekton-chains"');
    for (const { name, namespace, spec } of podsOf(objects)) {
      expect(spec.containers[0]?.args, name).to.include(`--namespace=${namespace ?? ''}`);
    }
  });

  it('refuses values that cannot work, and says which', async () => {
    for (const [values, expected] of badValues) {
      const args = ['template', 'chainwright', chartFolder('chainwright'), '--kube-version', '1.36.3'];
      const { code, stderr } = await helm(stack, args, values);
      expect(code, JSON.stringify(values)).not.to.equal(0);
      expect(stderr).to.match(expected);
    }
  });
});
