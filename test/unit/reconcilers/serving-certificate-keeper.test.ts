import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import type { EventNotice } from '../../../src/kube/events.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { silentLog } from '../../../src/model/log.ts';
import type { ServingCertificate } from '../../../src/model/serving-certificate.ts';
import {
  ServingCertificateKeeper,
  webhookNames,
} from '../../../src/reconcilers/serving-certificate-keeper.ts';
import { WebhookConfigurationKeeper } from '../../../src/reconcilers/webhook-configuration-keeper.ts';
import { VirtualClock, settle } from '../kube/virtual-clock.ts';
import { WatchedCluster } from './watched-cluster.ts';

const { secrets, validatingWebhooks, mutatingWebhooks } = resourceTypes;
const ref = { namespace: 'chains', name: 'hook-tls' };
const dayMs = 86_400_000;

describe('keeping the serving certificate', () => {
  let clock: VirtualClock;
  let cluster: WatchedCluster;
  let events: EventNotice[];
  let stop: AbortController;
  let running: Promise<void>[];

  beforeEach(() => {
    clock = new VirtualClock();
    cluster = new WatchedCluster();
    events = [];
    stop = new AbortController();
    running = [];
  });
  afterEach(async () => {
    stop.abort();
    await clock.advance(10_000);
    await Promise.all(running);
  });

  function start(): ServingCertificateKeeper {
    const keeper = new ServingCertificateKeeper({
      client: cluster,
      secret: ref,
      names: webhookNames({ name: 'hook', namespace: 'chains' }),
      events: { record: (notice) => events.push(notice) },
      clock,
      log: silentLog,
      random: () => 1,
    });
    running.push(keeper.run({ signal: stop.signal }));
    return keeper;
  }

  function keepBundles(certificates: ServingCertificateKeeper): WebhookConfigurationKeeper {
    const configurations = new WebhookConfigurationKeeper({
      client: cluster,
      configurations: { validating: ['hook'], mutating: ['hook'] },
      certificates,
      clock,
      log: silentLog,
      random: () => 1,
    });
    running.push(configurations.run({ signal: stop.signal }));
    return configurations;
  }

  // Keys are made in threads of their own, which no virtual clock knows.
  async function until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 20_000 && !holds(); turn += 1) {
      await settle();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(holds(), 'in time').to.equal(true);
  }

  async function getCurrent(keeper: ServingCertificateKeeper): Promise<ServingCertificate> {
    await until(() => keeper.current() !== undefined);
    const found = keeper.current();
    if (found === undefined) throw new Error('it went again');
    return found;
  }

  it('makes the Secret where there is none, for the names of the Service', async () => {
    const keeper = start();
    expect(keeper.findUnready()).to.match(/no serving certificate yet/);
    const { certificatePem } = await getCurrent(keeper);
    expect(new X509Certificate(certificatePem).checkHost('hook.chains.svc')).to.equal('hook.chains.svc');
    expect(keeper.findUnready()).to.equal(undefined);
    expect(keeper.expiresAt()).to.deep.equal(new Date(clock.now().getTime() + 7 * dayMs));
    expect(cluster.find(secrets, ref)).to.include({ type: 'kubernetes.io/tls' });
  });

  it('of two that begin at once, both show one certificate', async () => {
    const [one, two] = [start(), start()];
    expect(await getCurrent(one)).to.deep.equal(await getCurrent(two));
    expect(cluster.countOf('create')).to.equal(2);
    expect(cluster.countOf('replace')).to.equal(0);
  });

  it('is taken over from the Secret after a restart, without a write', async () => {
    const before = await getCurrent(start());
    const calls = cluster.calls.length;
    expect(await getCurrent(start())).to.deep.equal(before);
    expect(cluster.calls).to.have.length(calls);
  });

  it('writes a Secret anew that holds something else, and tells', async () => {
    const data = { 'tls.crt': 'Z2FyYmFnZQ==', other: 'eA==' };
    cluster.put(secrets, { metadata: ref, type: 'Opaque', data });
    await getCurrent(start());
    expect(events.map(({ reason, message }) => `${reason}: ${message}`)).to.deep.equal([
      'CertificateReplaced: the Secret held no usable serving certificate and was written anew: it has no tls.key',
    ]);
    expect(cluster.find(secrets, ref)).to.include({ type: 'Opaque' });
    expect(cluster.find(secrets, ref)?.['data']).to.include({ other: 'eA==' });
  });

  it('renews in time, once for all replicas, and tells its listeners', async () => {
    const [one, two] = [start(), start()];
    const before = await getCurrent(one);
    await getCurrent(two);
    const told: ServingCertificate[] = [];
    one.onChange((certificate) => told.push(certificate));
    await clock.advance(5 * dayMs);
    await until(
      () => one.current() !== before && two.current()?.certificatePem === one.current()?.certificatePem,
    );
    expect(told).to.deep.equal([one.current()]);
    expect(one.current()?.authorityPem).to.equal(before.authorityPem);
    await clock.advance(3_600_000);
    await until(() => one.current()?.certificatePem === two.current()?.certificatePem);
  });

  it('makes another one when somebody deletes the Secret', async () => {
    const keeper = start();
    const before = await getCurrent(keeper);
    cluster.remove(secrets, ref);
    await until(() => keeper.current()?.certificatePem !== before.certificatePem);
  });

  it('tries again when the API server fails, and says why it waits', async () => {
    cluster.failNext('create', 'ERR_KUBE_UNREACHABLE');
    const keeper = start();
    await until(() => keeper.findUnready()?.includes('create fails') === true);
    await clock.advance(5000);
    await getCurrent(keeper);
  });

  it('a listener that throws harms nobody else', async () => {
    const keeper = start();
    await getCurrent(keeper);
    let isTold = false;
    keeper.onChange(() => {
      throw new Error('no');
    });
    keeper.onChange(() => {
      isTold = true;
    });
    cluster.remove(secrets, ref);
    await until(() => isTold);
  });

  describe('and the caBundle', () => {
    const service = { name: 'hook', namespace: 'chains' };
    const webhook = (name: string): object => ({ name, clientConfig: { service }, rules: [] });
    const putValidating = (...webhooks: readonly object[]): void => {
      cluster.put(validatingWebhooks, { metadata: { name: 'hook' }, webhooks });
    };
    const bundles = (type: typeof validatingWebhooks | typeof mutatingWebhooks): string[] => {
      const object = cluster.find(type, { name: 'hook' });
      const webhooks = (object?.['webhooks'] ?? []) as { clientConfig: { caBundle?: string } }[];
      return webhooks.map(({ clientConfig }) =>
        Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
      );
    };

    it('is written into each webhook of both kinds, and nothing else is', async () => {
      putValidating(webhook('a.hook'), webhook('b.hook'));
      cluster.put(mutatingWebhooks, { metadata: { name: 'hook' }, webhooks: [webhook('c.hook')] });
      cluster.put(mutatingWebhooks, { metadata: { name: 'other' }, webhooks: [webhook('d.hook')] });
      const keeper = start();
      const configurations = keepBundles(keeper);
      const { authorityPem } = await getCurrent(keeper);
      await until(() => bundles(mutatingWebhooks)[0] === authorityPem);
      await until(() => configurations.findUnready() === undefined);
      expect(bundles(validatingWebhooks)).to.deep.equal([authorityPem, authorityPem]);
      const [first] = cluster.find(validatingWebhooks, { name: 'hook' })?.['webhooks'] as object[];
      expect(first).to.deep.include({ name: 'a.hook', rules: [] });
      const other = cluster.find(mutatingWebhooks, { name: 'other' })?.['webhooks'];
      expect(other).to.deep.equal([webhook('d.hook')]);
      expect(cluster.countOf('apply')).to.equal(2);
    });

    it('is written again when somebody else writes it, and once the configuration appears', async () => {
      const keeper = start();
      keepBundles(keeper);
      const { authorityPem } = await getCurrent(keeper);
      expect(cluster.countOf('apply'), 'nothing is made').to.equal(0);
      putValidating(webhook('a.hook'));
      await until(() => bundles(validatingWebhooks)[0] === authorityPem);
      putValidating(webhook('a.hook'));
      await until(() => bundles(validatingWebhooks)[0] === authorityPem);
      expect(cluster.countOf('create')).to.equal(1);
    });

    it('follows another certificate', async () => {
      putValidating(webhook('a.hook'));
      const keeper = start();
      keepBundles(keeper);
      const before = await getCurrent(keeper);
      cluster.remove(secrets, ref);
      await until(() => keeper.current()?.authorityPem !== before.authorityPem);
      await until(() => bundles(validatingWebhooks)[0] === keeper.current()?.authorityPem);
    });

    it('is tried again after a fault', async () => {
      cluster.failNext('apply', 'ERR_KUBE_UNREACHABLE');
      putValidating(webhook('a.hook'));
      const keeper = start();
      keepBundles(keeper);
      const { authorityPem } = await getCurrent(keeper);
      await until(() => cluster.countOf('apply') === 1);
      await clock.advance(5000);
      await until(() => bundles(validatingWebhooks)[0] === authorityPem);
    });
  });
});
