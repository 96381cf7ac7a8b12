import { expect } from 'chai';
import { ownCredentials } from '../../../../src/commands/wiring/registry-access.ts';
import { silentLog } from '../../../../src/model/log.ts';
import { parseRepository } from '../../../../src/model/image-reference.ts';
import { effectiveSettings } from '../../../../src/settings/effective-settings.ts';
import { resolveSettings } from '../../../../src/settings/resolution.ts';
import type { Settings } from '../../../../src/settings/settings-schema.ts';
import { signingPolicySchema } from '../../../../src/settings/signing-policy.ts';

const host = 'harbor.example';
const robot = { name: 'robot' };
const teamsCa = { kind: 'ConfigMap', name: 'team-ca' };

function clusterOf(registries: readonly object[]): Settings {
  const grants = [{ namespaces: ['team-a'], registryHosts: [host] }];
  return resolveSettings({
    object: {
      apiVersion: 'chainwright.dev/v1alpha1',
      kind: 'ChainwrightConfig',
      metadata: { name: 'default' },
      spec: { registries, policies: { grants } },
    },
  }).settings;
}

/** The settings for a run of team-a, whose SigningPolicy says `registry` of the host. */
function asTeam(cluster: Settings, registry: object): Settings {
  const spec = signingPolicySchema.parse({ registries: [{ host, ...registry }] });
  const run = { namespace: 'team-a', labels: {} };
  return effectiveSettings(cluster, [{ namespace: 'team-a', name: 'own', spec }], run).settings;
}

/** Whose credentials are sent to the host: `namespace/name` of Secrets, `process`. */
async function sentBy(settings: Settings): Promise<readonly string[]> {
  const source = ownCredentials(settings, {
    pullSecrets: {
      findIn: (namespace, [name = '']) => {
        const auths = { [host]: { username: `${namespace}/${name}`, password: 'secret' } };
        const bytes = Buffer.from(JSON.stringify({ auths }));
        return Promise.resolve({
          configs: [{ secret: `${namespace}/${name}`, format: 'config', bytes }],
          problems: [],
        });
      },
    },
    namespace: 'tekton-chains',
    unnamed: { find: () => Promise.resolve([{ kind: 'basic', username: 'process', password: 'secret' }]) },
    log: silentLog,
  });
  const { signal } = new AbortController();
  const found = await source.find(parseRepository(`${host}/golems/one`), { signal });
  return found.map((credentials) => (credentials.kind === 'basic' ? credentials.username : credentials.kind));
}

describe('the credentials that are ours to send', () => {
  it("are those that the settings name, then the process's own", async () => {
    expect(await sentBy(clusterOf([{ host, credentials: robot }]))).to.deep.equal([
      'tekton-chains/robot',
      'process',
    ]);
  });

  it('go to a registry whose authority is named in our own namespace, wherever they lie', async () => {
    const ca = { kind: 'ConfigMap', name: 'private-ca', namespace: 'tekton-chains' };
    const credentials = { ...robot, namespace: 'robots' };
    expect(await sentBy(clusterOf([{ host, ca, credentials }]))).to.deep.equal(['robots/robot', 'process']);
  });

  it('do not go to a registry whose authority a team names', async () => {
    const cluster = clusterOf([{ host, credentials: robot }]);
    expect(await sentBy(asTeam(cluster, { ca: teamsCa }))).to.deep.equal([]);
  });

  it('do not go there either where they are named for every registry', async () => {
    const cluster = clusterOf([{ host: '*', credentials: robot }]);
    expect(await sentBy(asTeam(cluster, { ca: teamsCa }))).to.deep.equal([]);
  });

  it("are the team's own alone where it names both", async () => {
    const cluster = clusterOf([{ host, credentials: robot }]);
    const settings = asTeam(cluster, { ca: teamsCa, credentials: { name: 'own-robot' } });
    expect(await sentBy(settings)).to.deep.equal(['team-a/own-robot']);
  });

  it('of the cluster stay where the authority is in another namespace than they', async () => {
    const ca = { kind: 'ConfigMap', name: 'ca', namespace: 'team-b' };
    const credentials = { ...robot, namespace: 'team-a' };
    expect(await sentBy(clusterOf([{ host, ca, credentials }]))).to.deep.equal([]);
  });
});
