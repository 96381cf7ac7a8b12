import { expect } from 'chai';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { isAppError } from '../../../src/model/errors.ts';
import { CredentialCache } from '../../../src/kube/cluster-access.ts';
import { openInClusterAccess } from '../../../src/kube/in-cluster-access.ts';
import { openKubeconfigAccess } from '../../../src/kube/kubeconfig-access.ts';
import { VirtualClock } from './virtual-clock.ts';

const signal = new AbortController().signal;

describe('access to a cluster', () => {
  let folder: string;
  let clock: VirtualClock;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-access-'));
    clock = new VirtualClock();
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, name), text);

  async function codeOf(work: Promise<unknown>): Promise<string> {
    const thrown: unknown = await work.then(
      () => 'none',
      (error: unknown) => error,
    );
    return isAppError(thrown) ? thrown.code : String(thrown);
  }

  describe('openInClusterAccess', () => {
    beforeEach(async () => {
      await write('token', 'first\n');
      await write('ca.crt', 'CA');
      await write('namespace', 'tekton-chains');
    });

    it("reads address, token, authority and namespace from the Pod's surroundings", async () => {
      const access = await openInClusterAccess({ host: 'fd00::1', port: '443', folder, clock }, { signal });
      expect(access.server).to.equal('https://[fd00::1]:443');
      expect(access.namespace).to.equal('tekton-chains');
      const { headers, tls } = await access.credentials({ signal });
      expect(headers).to.deep.equal({ authorization: 'Bearer first' });
      expect(tls.ca?.toString()).to.equal('CA');
    });

    it('reads a rotated token after a minute, and keeps the connection while the authority is the same', async () => {
      const access = await openInClusterAccess({ host: 'h', port: '443', folder, clock }, { signal });
      const before = await access.credentials({ signal });
      await write('token', 'second');
      await clock.advance(59_000);
      expect(await access.credentials({ signal })).to.equal(before);
      await clock.advance(1000);
      const after = await access.credentials({ signal });
      expect(after.headers['authorization']).to.equal('Bearer second');
      expect(after.tls).to.equal(before.tls);
      await write('ca.crt', 'another CA');
      await clock.advance(60_000);
      expect((await access.credentials({ signal })).tls).to.not.equal(before.tls);
    });

    it('reads a rotated token at once when the server refused the old one', async () => {
      const access = await openInClusterAccess({ host: 'h', port: '443', folder, clock }, { signal });
      const refused = await access.credentials({ signal });
      await write('token', 'second');
      const renewed = await access.credentials({ refused, signal });
      expect(renewed.headers['authorization']).to.equal('Bearer second');
    });

    it('throws ERR_KUBE_CONFIG outside a Pod', async () => {
      await rm(join(folder, 'token'));
      const options = { host: 'h', port: '443', folder, clock };
      expect(await codeOf(openInClusterAccess(options, { signal }))).to.equal('ERR_KUBE_CONFIG');
      expect(await codeOf(openInClusterAccess({ ...options, host: '' }, { signal }))).to.equal(
        'ERR_KUBE_CONFIG',
      );
    });
  });

  describe('CredentialCache', () => {
    const credentials = (token: string): { headers: Record<string, string>; tls: object } => ({
      headers: { token },
      tls: {},
    });

    it('loads once for all who ask at the same time', async () => {
      let loads = 0;
      const cache = new CredentialCache(() => Promise.resolve(credentials(String((loads += 1)))), clock);
      const [first, second] = await Promise.all([
        cache.credentials({ signal }),
        cache.credentials({ signal }),
      ]);
      expect(first).to.equal(second);
      expect(loads).to.equal(1);
    });

    it('does not load again for those whose refused credentials were replaced already', async () => {
      let loads = 0;
      const cache = new CredentialCache(() => Promise.resolve(credentials(String((loads += 1)))), clock);
      const refused = await cache.credentials({ signal });
      await cache.credentials({ refused, signal });
      await cache.credentials({ refused, signal });
      expect(loads).to.equal(2);
    });

    it('goes on with old credentials when a reading fails, unless the server refused them', async () => {
      let isBroken = false;
      const load = (): Promise<ReturnType<typeof credentials>> =>
        isBroken ? Promise.reject(new Error('swapped')) : Promise.resolve(credentials('good'));
      const cache = new CredentialCache(load, clock);
      const good = await cache.credentials({ signal });
      isBroken = true;
      await clock.advance(120_000);
      expect(await cache.credentials({ signal })).to.equal(good);
      expect(await codeOf(cache.credentials({ refused: good, signal }))).to.equal('Error: swapped');
    });
  });

  describe('openKubeconfigAccess', () => {
    const encode = (text: string): string => Buffer.from(text).toString('base64');

    async function writeConfig(user: object, cluster: object = {}): Promise<string> {
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: 'https://api.golems.internal/', ...cluster } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }],
        'current-context': 'x',
      };
      await write('config', stringify(config));
      return join(folder, 'config');
    }

    it('gives client certificates, authority and server name', async () => {
      const path = await writeConfig(
        { 'client-certificate-data': encode('CERT'), 'client-key-data': encode('KEY') },
        { 'certificate-authority-data': encode('CA'), 'tls-server-name': 'kubernetes' },
      );
      const access = await openKubeconfigAccess({ paths: [path], clock }, { signal });
      expect([access.server, access.namespace]).to.deep.equal(['https://api.golems.internal', 'team']);
      const { tls, headers } = await access.credentials({ signal });
      expect([tls.ca, tls.cert, tls.key].map(String)).to.deep.equal(['CA', 'CERT', 'KEY']);
      expect(tls.servername).to.equal('kubernetes');
      expect(headers).to.deep.equal({});
    });

    it('gives tokens and passwords as headers', async () => {
      const token = await openKubeconfigAccess(
        { paths: [await writeConfig({ token: 't' })], clock },
        { signal },
      );
      expect((await token.credentials({ signal })).headers).to.deep.equal({ authorization: 'Bearer t' });
      const basic = await openKubeconfigAccess(
        { paths: [await writeConfig({ username: 'u', password: 'p' })], clock },
        { signal },
      );
      expect((await basic.credentials({ signal })).headers).to.deep.equal({
        authorization: `Basic ${encode('u:p')}`,
      });
    });

    it('runs an exec plugin, and once more only after a refusal', async () => {
      const credential = '{"status":{"token":"\'$(wc -l < "$0.log" | tr -d " ")\'"}}';
      await write('plugin', `#!/bin/sh\necho run >> "$0.log"\necho '${credential}'\n`);
      await chmod(join(folder, 'plugin'), 0o755);
      const path = await writeConfig({
        exec: { apiVersion: 'client.authentication.k8s.io/v1', command: join(folder, 'plugin'), args: [] },
      });
      const access = await openKubeconfigAccess({ paths: [path], clock }, { signal });
      await clock.advance(120_000);
      const refused = await access.credentials({ signal });
      expect(refused.headers['authorization']).to.equal('Bearer 1');
      const renewed = await access.credentials({ refused, signal });
      expect(renewed.headers['authorization']).to.equal('Bearer 2');
    });

    it('throws ERR_KUBE_CONFIG for a file that is missing, no YAML, or names no such context', async () => {
      await write('broken', 'a: [');
      const path = await writeConfig({ token: 't' });
      const open = (options: { paths: [string]; context?: string }): Promise<string> =>
        codeOf(openKubeconfigAccess({ ...options, clock }, { signal }));
      expect(await open({ paths: [join(folder, 'missing')] })).to.equal('ERR_KUBE_CONFIG');
      expect(await open({ paths: [join(folder, 'broken')] })).to.equal('ERR_KUBE_CONFIG');
      expect(await open({ paths: [path], context: 'other' })).to.equal('ERR_KUBE_CONFIG');
    });
  });
});
