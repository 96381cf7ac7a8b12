import { X509Certificate } from 'node:crypto';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { EventRecorder } from '../../../src/kube/events.ts';
import { silentLog as log } from '../../../src/model/log.ts';
import type { ServingCertificate } from '../../../src/model/serving-certificate.ts';
import {
  ServingCertificateKeeper,
  webhookNames,
} from '../../../src/reconcilers/serving-certificate-keeper.ts';
import { WebhookConfigurationKeeper } from '../../../src/reconcilers/webhook-configuration-keeper.ts';
import { systemClock as clock } from '../../../src/telemetry/system-clock.ts';
import type { KubeObject } from '../../support/kube-api.ts';
import { eventually, openWebhookAccount } from './webhook-account.ts';
import type { WebhookAccount } from './webhook-account.ts';

const configurations = '/apis/admissionregistration.k8s.io/v1';

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly caBundle?: string };
  readonly timeoutSeconds: number;
}

describe('keeping the serving certificate on a real API server, with the rights of the webhook', () => {
  let account: WebhookAccount;
  let closing: AsyncDisposableStack;
  let stop: AbortController;

  beforeEach(async () => {
    closing = new AsyncDisposableStack();
    account = closing.use(await openWebhookAccount());
    stop = new AbortController();
  });
  afterEach(() => closing.disposeAsync());

  const secretPath = (): string =>
    `/api/v1/namespaces/${account.namespace}/secrets/${account.stem}-certificate`;

  function start(): ServingCertificateKeeper {
    const { client, namespace, stem } = account;
    const events = new EventRecorder({ client, clock, log });
    closing.defer(() => events.close({ deadlineMs: 2000 }));
    const keeper = new ServingCertificateKeeper({
      secret: { namespace, name: `${stem}-certificate` },
      names: [...webhookNames({ name: stem, namespace }), '127.0.0.1'],
      ...{ client, events, clock, log },
    });
    run(keeper);
    return keeper;
  }

  function run(part: { run(options: { readonly signal: AbortSignal }): Promise<void> }): void {
    const running = part.run({ signal: stop.signal });
    closing.defer(async () => {
      stop.abort();
      await running;
    });
  }

  async function createConfiguration(plural: string, kind: string): Promise<() => Promise<Webhook>> {
    const { stem, namespace, api } = account;
    const path = `${configurations}/${plural}`;
    const webhook = {
      name: 'test.chainwright.dev',
      clientConfig: { service: { name: stem, namespace } },
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Ignore',
      timeoutSeconds: 3,
      // In no namespace at all.
      namespaceSelector: { matchLabels: { [stem]: 'never' } },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    };
    await api.create(path, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata: { name: stem },
      webhooks: [webhook],
    });
    closing.defer(() => api.delete(`${path}/${stem}`));
    return async () => {
      const { webhooks } = await api.get<{ webhooks: [Webhook] }>(`${path}/${stem}`);
      return webhooks[0];
    };
  }

  it('two that begin at once end with one certificate', async () => {
    const [one, two] = [start(), start()];
    const first = await eventually(() => one.current());
    expect(await eventually(() => two.current())).to.deep.equal(first);
    const secret = await account.api.get<KubeObject & { type: string; data: Record<string, string> }>(
      secretPath(),
    );
    expect(Buffer.from(secret.data['tls.crt'] ?? '', 'base64').toString()).to.equal(first.certificatePem);
    expect(secret.type).to.equal('kubernetes.io/tls');
  });

  it('a server that shows it is trusted by its authority, under its name in the cluster', async () => {
    const keeper = start();
    const { certificatePem: cert, keyPem: key, authorityPem: ca } = await eventually(() => keeper.current());
    const server = createServer({ cert, key }, (_request, response) => response.end('well'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const servername = `${account.stem}.${account.namespace}.svc`;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request({ host: '127.0.0.1', port, ca, servername, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    await new Promise((resolve) => server.close(resolve));
    expect(status).to.equal(200);
  });

  it('a Secret with something else is written anew, and the loss of it mended', async () => {
    const path = `/api/v1/namespaces/${account.namespace}/secrets`;
    const metadata = { name: `${account.stem}-certificate` };
    await account.api.create(path, { metadata, stringData: { 'tls.crt': 'garbage' } });
    const keeper = start();
    const first = await eventually(() => keeper.current());
    await account.api.delete(secretPath());
    const isOther = ({ certificatePem }: ServingCertificate): boolean =>
      certificatePem !== first.certificatePem;
    const second = await eventually(() =>
      [keeper.current()].find((one) => one !== undefined && isOther(one)),
    );
    expect(new X509Certificate(second.certificatePem).checkHost(account.stem)).to.equal(account.stem);
  });

  it('the caBundle of both configurations is written, mended, and nothing else is touched', async () => {
    const keeper = start();
    const names = [account.stem];
    run(
      new WebhookConfigurationKeeper({
        ...{ client: account.client, clock, log },
        configurations: { validating: names, mutating: names },
        certificates: keeper,
      }),
    );
    const { authorityPem } = await eventually(() => keeper.current());
    const wanted = Buffer.from(authorityPem).toString('base64');
    const isWritten = async (look: () => Promise<Webhook>): Promise<Webhook | undefined> =>
      [await look()].find(({ clientConfig }) => clientConfig.caBundle === wanted);
    const validating = await createConfiguration(
      'validatingwebhookconfigurations',
      'ValidatingWebhookConfiguration',
    );
    const mutating = await createConfiguration(
      'mutatingwebhookconfigurations',
      'MutatingWebhookConfiguration',
    );
    const written = await eventually(() => isWritten(validating));
    expect(written).to.include({ name: 'test.chainwright.dev', timeoutSeconds: 3 });
    await eventually(() => isWritten(mutating));
    const patch = [{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }];
    const path = `${configurations}/validatingwebhookconfigurations/${account.stem}`;
    await account.api.jsonPatch(path, patch);
    await eventually(() => isWritten(validating));
  });
});
