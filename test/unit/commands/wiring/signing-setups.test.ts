import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rootCertificates } from 'node:tls';
import { expect } from 'chai';
import { SigningSetups } from '../../../../src/commands/wiring/signing-setups.ts';
import type { KubeClient } from '../../../../src/kube/kube-client.ts';
import { PullSecretSource } from '../../../../src/kube/pull-secrets.ts';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import { parseRepository } from '../../../../src/model/image-reference.ts';
import { silentLog } from '../../../../src/model/log.ts';
import { effectiveSettings } from '../../../../src/settings/effective-settings.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import type { Settings } from '../../../../src/settings/settings-schema.ts';
import { signingPolicySchema } from '../../../../src/settings/signing-policy.ts';
import { parseTaskRun } from '../../../../src/tekton/task-run.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { systemClock } from '../../../../src/telemetry/system-clock.ts';
import { WatchedCluster } from '../../reconcilers/watched-cluster.ts';

const run = parseTaskRun({
  apiVersion: 'tekton.dev/v1',
  kind: 'TaskRun',
  metadata: { name: 'build', namespace: 'team-a', uid: 'a-uid' },
  spec: { serviceAccountName: 'builder' },
});
const { signal } = new AbortController();

describe('what signs by the settings of a cluster', () => {
  let server: Server;
  let host: string;
  let sent: string[];
  let cluster: WatchedCluster;

  beforeEach(async () => {
    sent = [];
    server = createServer((request, response) => {
      const { authorization } = request.headers;
      if (authorization !== undefined)
        sent.push(Buffer.from(authorization.slice('Basic '.length), 'base64').toString());
      response.writeHead(401, { 'www-authenticate': 'Basic realm="registry"' }).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    cluster = clusterWith(host);
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  const settingsOf = (): Settings =>
    resolveSettings({
      object: {
        apiVersion: 'chainwright.dev/v1alpha1',
        kind: 'ChainwrightConfig',
        metadata: { name: 'default' },
        spec: {
          signer: { type: 'key', key: { secret: { namespace: 'tekton-chains', name: 'signing-secrets' } } },
          log: { enabled: false },
          sbom: { enabled: false },
          registries: [{ host, credentials: { name: 'robot' }, insecure: true }],
          policies: { grants: [{ namespaces: ['team-a'], registryHosts: [host] }] },
        },
      },
    }).settings;
  /** Asks the registry for a manifest, in the name of the run. */
  const ask = async (settings: Settings): Promise<void> => {
    const client = cluster as unknown as KubeClient;
    await using setups = new SigningSetups({
      environment: { DOCKER_CONFIG: '/nowhere' },
      client,
      account: { namespace: 'tekton-chains', name: 'tekton-chains-controller' },
      records: { find: () => Promise.resolve(undefined), save: (record) => Promise.resolve(record) },
      pullSecrets: new PullSecretSource({ client }),
      metrics: createMetrics({ version: '0' }),
      clock: systemClock,
      log: silentLog,
      signal,
    });
    using lease = await setups.lease(settings);
    const store = lease.part.storeFor(run);
    await store.getManifest(parseRepository(`${host}/golems`), 'latest', { signal }).catch(() => undefined);
  };

  it("sends the cluster's credentials to a registry that the cluster trusts", async () => {
    await ask(settingsOf());
    expect(sent).to.include('robot:secret');
  });

  it('keeps them from a registry whose authority a team names', async () => {
    const ca = { kind: 'ConfigMap', name: 'team-ca' };
    const spec = signingPolicySchema.parse({ registries: [{ host, ca }] });
    const facts = { namespace: 'team-a', labels: {} };
    const policies = [{ namespace: 'team-a', name: 'own', spec }];
    await ask(effectiveSettings(settingsOf(), policies, facts).settings);
    expect(cluster.calls).to.deep.include({ verb: 'get', object: 'configmaps team-a/team-ca' });
    expect(sent).to.deep.equal([]);
  });
});

/** With a key to sign with, the cluster's credentials for `host` and the authority of a team. */
function clusterWith(host: string): WatchedCluster {
  const cluster = new WatchedCluster();
  const inChains = (name: string): { name: string; namespace: string } => ({
    name,
    namespace: 'tekton-chains',
  });
  const encoded = (text: string): string => Buffer.from(text).toString('base64');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  cluster.put(resourceTypes.secrets, {
    metadata: inChains('signing-secrets'),
    data: { 'cosign.key': encoded(key) },
  });
  const auths = { [host]: { username: 'robot', password: 'secret' } };
  cluster.put(resourceTypes.secrets, {
    metadata: inChains('robot'),
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': encoded(JSON.stringify({ auths })) },
  });
  cluster.put(resourceTypes.configMaps, {
    metadata: { name: 'team-ca', namespace: 'team-a' },
    data: { 'ca.crt': rootCertificates[0] },
  });
  return cluster;
}
