import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { builtPath } from '../../../hack/stack/build/binaries.ts';
import { openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { componentNamed } from '../../../hack/stack/versions.ts';
import { Child } from '../../support/child.ts';
import { KubeApi } from '../../support/kube-api.ts';
import { podsOf } from '../../support/pods/pod-objects.ts';
import { chartFolder, helm, renderChart } from '../../support/pods/rendered-chart.ts';
import type { ChartObject } from '../../support/pods/rendered-chart.ts';
import { createNamespace, deleteNamespace } from '../../support/test-namespace.ts';

const base = { hostname: 'rekor.golems.internal', tls: { existingSecret: 'rekor-tls' } };
const key = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';
const digest = `sha256:${'ab'.repeat(32)}`;
const external = {
  enabled: false,
  existingSecret: 'database',
  external: { host: 'db.golems.internal', caSecret: 'database-ca' },
};

const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  privileged: false,
  capabilities: { drop: ['ALL'] },
};

/** Every road through the templates. */
const goodValues: Readonly<Record<string, object>> = {
  'v1 by itself': base,
  v2: { ...base, version: 'v2' },
  'v2 with a key of one’s own': { ...base, version: 'v2', signer: { mode: 'secret', existingSecret: 'key' } },
  'an external database and Redis': {
    ...base,
    postgresql: external,
    index: { type: 'external', existingSecret: 'redis', external: { host: 'redis.golems.internal' } },
  },
  'a key in a KMS, MySQL as index, a bucket': {
    ...base,
    signer: { mode: 'kms', kmsUri: 'gcpkms://projects/p/keys/k', publicKey: key },
    index: { type: 'mysql', mysql: { dsnSecret: 'mysql' } },
    server: {
      attestationBucket: 's3://attestations',
      service: { type: 'LoadBalancer' },
      inactiveShards: [{ treeID: '4837583745837458374' }],
    },
    serviceAccount: { annotations: { 'iam.gke.io/gcp-service-account': 'rekor@p' } },
    networkPolicy: {
      from: [{ namespaceSelector: {} }],
      metricsFrom: [{ podSelector: {} }],
      extraEgress: [{}],
    },
  },
  'no index, digests, no policies': {
    ...base,
    index: { type: 'none' },
    images: { rekor: { repository: 'mirror/rekor', tag: 'v1.5.5', digest } },
    networkPolicy: { enabled: false },
    podDisruptionBudget: { enabled: false },
    imagePullSecrets: [{ name: 'pull' }],
    podLabels: { team: 'platform' },
    podAnnotations: { note: 'x' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ operator: 'Exists' }],
  },
};

/** What helm must refuse, and what it has to say. */
const badValues: readonly (readonly [object, RegExp])[] = [
  [{ tls: base.tls }, /hostname: name the host/],
  [{ hostname: 'rekor.golems.internal' }, /tls: give either existingSecret or certManager/],
  [{ ...base, tls: { ...base.tls, certManager: { enabled: true } } }, /tls: give either/],
  [{ ...base, hostname: 'https://rekor' }, /'\/hostname'/],
  [{ ...base, servr: {} }, /additional properties 'servr' not allowed/],
  [{ ...base, server: { inactiveShards: [{ treeID: 4711 }] } }, /'\/server\/inactiveShards\/0\/treeID'/],
  [{ ...base, server: { port: 443 } }, /'\/server\/port'/],
  [{ ...base, server: { maxRequestBytes: 0 } }, /'\/server\/maxRequestBytes'/],
  [{ ...base, images: { rekor: { digest: 'sha256:abc' } } }, /'\/images\/rekor\/digest'/],
  [{ ...base, version: 'v3' }, /'\/version'/],
  [{ ...base, signer: { mode: 'secret' } }, /signer\.existingSecret: name the Secret/],
  [{ ...base, signer: { existingSecret: 'x' } }, /mode: secret/],
  [{ ...base, signer: { mode: 'kms' } }, /kms needs kmsUri and publicKey/],
  [
    { ...base, version: 'v2', signer: { mode: 'kms', kmsUri: 'awskms:///alias/x', publicKey: key } },
    /takes its key from a file only/,
  ],
  [{ ...base, postgresql: { enabled: false } }, /an external database needs external\.host/],
  [
    { ...base, postgresql: { enabled: false, existingSecret: 'x', external: { host: 'db' } } },
    /caSecret: verifying the database/,
  ],
  [{ ...base, index: { type: 'external' } }, /an external Redis needs external\.host/],
  [{ ...base, index: { type: 'mysql' } }, /dsnSecret: name the Secret/],
  [{ ...base, trillian: { treeName: 'a name with blanks' } }, /'\/trillian\/treeName'/],
];

describe('charts/rekor', function () {
  let stack: Stack;
  let api: KubeApi;
  let namespace: string;
  let folder: string;

  before(async () => {
    stack = await openStack();
    api = await KubeApi.open(stack.kubeconfig);
    namespace = await createNamespace(api, 'chart');
    const restricted = { 'pod-security.kubernetes.io/warn': 'restricted' };
    await api.mergePatch(`/api/v1/namespaces/${namespace}`, { metadata: { labels: restricted } });
    folder = await mkdtemp(join(tmpdir(), 'chainwright-chart-'));
  });
  after(async () => {
    await deleteNamespace(api, namespace);
    await api[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const render = (values: object): Promise<readonly ChartObject[]> =>
    renderChart(stack, { chart: 'rekor', namespace, values });
  /** What the API server says of all objects, without keeping them. */
  const dryRun = async (name: string, objects: readonly ChartObject[]): Promise<string> => {
    const file = join(folder, `${name}.json`);
    await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    const child = await Child.start({
      name: 'kubectl',
      file: join(stack.bin, 'kubectl'),
      args: ['apply', '--dry-run=server', '--validate=strict', '--namespace', namespace, '-f', file],
      env: { KUBECONFIG: stack.kubeconfig, HOME: folder },
      logFile: `${file}.log`,
    });
    const end = await child.ended;
    const said = await readFile(`${file}.log`, 'utf8');
    expect(end, said).to.equal(0);
    return said;
  };

  it('passes helm lint', async () => {
    const { code, stdout } = await helm(stack, ['lint', '--strict', chartFolder('rekor')], base);
    expect(code, stdout).to.equal(0);
  });

  for (const [index, [what, values]] of Object.entries(goodValues).entries()) {
    it(`renders what the API server takes, as the restricted Pod security standard wants it: ${what}`, async () => {
      const objects = await render(values);
      const said = await dryRun(String(index), objects);
      expect(said.match(/\(server dry run\)/g)).to.have.length(objects.length);
      expect(said).not.to.match(/Warning/);
    });
  }

  it('writes the ids of trees as they are, which are larger than helm’s numbers', async () => {
    const objects = await render(goodValues['a key in a KMS, MySQL as index, a bucket'] ?? {});
    const config = objects.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'rekor-server',
    );
    expect(config).to.have.nested.property('data.shards\\.yaml', '- treeID: 4837583745837458374\n');
  });

  it('ends all Pods of the server before it starts new ones where trees are closed', async () => {
    const strategyOf = async (values: object): Promise<unknown> => {
      const objects = await render(values);
      return objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'rekor-server')
        ?.spec?.['strategy'];
    };
    expect(await strategyOf(base)).to.equal(undefined);
    const closed = { ...base, server: { inactiveShards: [{ treeID: '4837583745837458374' }] } };
    expect(await strategyOf(closed)).to.deep.include({ type: 'Recreate' });
  });

  it('bounds what the log takes, and lets one say how much that is', async () => {
    const [usual, given] = await Promise.all([
      render(base),
      render({ ...base, server: { maxRequestBytes: 2_000_000 } }),
    ]);
    expect(JSON.stringify(usual)).to.include('"--max_request_body_size=16777216"');
    expect(JSON.stringify(given)).to.include('"--max_request_body_size=2000000"');
  });

  it('lets cert-manager issue the certificate', async () => {
    const tls = { certManager: { enabled: true, issuerRef: { name: 'golems', kind: 'ClusterIssuer' } } };
    const objects = await render({ hostname: base.hostname, tls });
    const certificate = objects.find(({ kind }) => kind === 'Certificate');
    expect(certificate?.spec).to.deep.include({
      secretName: 'rekor-tls',
      dnsNames: ['rekor.golems.internal', `rekor.${namespace}.svc`],
      issuerRef: { name: 'golems', kind: 'ClusterIssuer', group: 'cert-manager.io' },
    });
    expect(JSON.stringify(objects)).to.include('"secret":{"secretName":"rekor-tls"}');
  });

  it('gives every container a read-only root, no capabilities, no root, bounds and a digest where one is given', async () => {
    for (const values of Object.values(goodValues)) {
      const pods = podsOf(await render(values));
      for (const { spec } of pods) {
        expect(spec.securityContext).to.deep.include({
          runAsNonRoot: true,
          seccompProfile: { type: 'RuntimeDefault' },
        });
        for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
          expect(container.securityContext, container.name).to.deep.equal(restrictedContainer);
          expect(container).to.have.nested.property('resources.limits.memory');
        }
        const serving = spec.containers.filter(
          ({ ports, name }) => ports !== undefined && name !== 'rekor-tiles',
        );
        for (const { name, readinessProbe } of serving) expect(readinessProbe, name).not.to.equal(undefined);
      }
    }
    const pinned = podsOf(await render(goodValues['no index, digests, no policies'] ?? {}));
    expect(JSON.stringify(pinned)).to.include(`"image":"mirror/rekor@${digest}"`);
  });

  it('puts no password and no key into arguments or ConfigMaps', async () => {
    for (const values of Object.values(goodValues)) {
      const objects = await render(values);
      expect(objects.filter(({ kind }) => kind === 'Secret')).to.deep.equal([]);
      const text = JSON.stringify(podsOf(objects).map(({ spec }) => spec.containers.map(({ args }) => args)));
      expect(text).not.to.match(/--[\w.-]*passw|:\/\/[^@:"/]*:[^@"/]*@/);
    }
  });

  it('refuses values that cannot work, and says what is missing', async () => {
    for (const [values, expected] of badValues) {
      const { code, stderr } = await helm(
        stack,
        ['template', 'rekor', chartFolder('rekor'), '--kube-version', '1.36.3'],
        values,
      );
      expect(code, JSON.stringify(values)).not.to.equal(0);
      expect(stderr).to.match(expected);
    }
  });

  it('brings Trillian’s own schema, and the versions that the stack tests', async () => {
    const own = await readFile(join(chartFolder('rekor'), 'files/trillian-v1.8.0.sql'), 'utf8');
    const schema = join(builtPath(componentNamed('trillian-schema')), 'storage.sql');
    expect(own).to.equal(await readFile(schema, 'utf8'));
    const versions = {
      'rekor-server': 'images.rekor',
      createtree: 'images.tools',
      'rekor-tiles': 'images.rekorTiles',
    };
    const values = parse(await readFile(join(chartFolder('rekor'), 'values.yaml'), 'utf8')) as object;
    for (const [component, path] of Object.entries(versions)) {
      expect(values).to.have.nested.property(`${path}.tag`, componentNamed(component).version);
    }
  });
});
