import { expect } from 'chai';
import { kubectl } from '../../hack/stack/stack.ts';
import { controllerAccount } from '../support/account-kubeconfig.ts';
import { AlarmInbox, signatureOf } from '../support/alarm-inbox.ts';
import type { ReceivedAlarm } from '../support/alarm-inbox.ts';
import { CosignSigner } from '../support/cosign-signer.ts';
import type { CosignLayout } from '../support/cosign-signer.ts';
import { pushImage } from '../support/images.ts';
import { pipelineIdentity } from '../support/judges.ts';
import { MonitorProcess } from '../support/monitor-process.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { trustRootObject, trustRootsPath } from '../support/trust-root.ts';
import { waitFor } from '../support/waiting.ts';

const path = '/apis/chainwright.dev/v1alpha1/logmonitors';
const secretsPath = '/api/v1/namespaces/chainwright-monitor/secrets';
const configMapsPath = '/api/v1/namespaces/chainwright-monitor/configmaps';
const trustRoot = 'monitored';
const hmacKey = 'a key of the receiver';
// A replica that was killed is followed after its Lease, and a receiver called again after a growing pause.
const timeoutMs = 60_000;

interface Status {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly alarms?: number;
  readonly nextIndex?: number;
  readonly lastAlarm?: Readonly<Record<string, unknown>>;
}

describe('LogMonitor objects', () => {
  let scene: Scene;
  let inbox: AlarmInbox;
  const made: string[] = [];

  before(async () => {
    scene = await openScene();
    inbox = await AlarmInbox.open();
    await kubectl(['apply', '--server-side', '-f', 'config/monitor/namespace.yaml']);
    await scene.api.create(trustRootsPath, await trustRootObject(scene.stack, trustRoot));
    await scene.api.create(secretsPath, {
      metadata: { name: 'receiver' },
      stringData: { token: 'Bearer of-the-receiver', hmac: hmacKey },
    });
  });
  beforeEach(() => {
    inbox.received.length = 0;
    inbox.status = 204;
  });
  afterEach(async () => {
    for (const name of made.splice(0)) {
      await scene.api.delete(`${path}/${name}`);
      // No garbage collector runs here.
      for (const suffix of ['', '.records']) {
        await scene.api.delete(`${configMapsPath}/chainwright-monitor.${name}${suffix}`);
      }
    }
  });
  after(async () => {
    await scene.api.delete(`${trustRootsPath}/${trustRoot}`);
    await scene.api.delete(`${secretsPath}/receiver`);
    await inbox[Symbol.asyncDispose]();
    await scene[Symbol.asyncDispose]();
  });

  const draft = (name: string, apiVersion: 1 | 2, spec: object = {}): object => ({
    apiVersion: 'chainwright.dev/v1alpha1',
    kind: 'LogMonitor',
    metadata: { name },
    spec: {
      log: { url: apiVersion === 1 ? scene.stack.rekorUrl : scene.stack.rekor2Url, apiVersion },
      trustRootRef: trustRoot,
      identities: [{ subject: pipelineIdentity, issuer: scene.stack.issuer }],
      interval: '1s',
      webhook: {
        url: inbox.url,
        header: { name: 'Authorization', secretRef: { name: 'receiver', key: 'token' } },
        hmac: { secretRef: { name: 'receiver', key: 'hmac' } },
      },
      ...spec,
    },
  });
  const create = async (name: string, apiVersion: 1 | 2, spec: object = {}): Promise<void> => {
    await scene.api.create(path, draft(name, apiVersion, spec));
    made.push(name);
  };
  const statusOf = async (name: string): Promise<Status> =>
    (await scene.api.get(`${path}/${name}`))['status'] ?? {};
  const until = (name: string, type: string, wanted: string, message = ''): Promise<Status> =>
    waitFor(
      async () => {
        const status = await statusOf(name);
        const condition = status.conditions?.find((one) => one.type === type);
        return condition?.status === wanted && condition.message.includes(message) ? status : undefined;
      },
      { what: `${name} being ${type}=${wanted}`, timeoutMs },
    );
  const intrude = async (layout: CosignLayout): Promise<void> => {
    const { repository, digest } = await pushImage(scene.registry, `${scene.stack.registry}/monitors`);
    await new CosignSigner({ ...scene, account: controllerAccount }).sign(`${repository}@${digest}`, layout);
  };
  /** The alarms that came, each once: one that its caller could not note as delivered comes again, with the same id. */
  const received = (logMonitor: string): readonly ReceivedAlarm[] => {
    const calls = inbox.received.filter(({ alarm }) => alarm.logMonitor === logMonitor);
    return [...new Map(calls.map((call) => [call.alarm.id, call])).values()];
  };

  it('tell the story of both kinds of log: conditions, counts, Events, metrics and a call for each alarm', async () => {
    await create('first', 1);
    await create('second', 2);
    await using monitor = await MonitorProcess.inCluster(scene.stack);
    for (const name of ['first', 'second']) {
      const { conditions } = await until(name, 'CaughtUp', 'True');
      expect(conditions?.map(({ type, status }) => `${type}=${status}`)).to.include.members([
        'Ready=True',
        'Healthy=True',
        'StateStored=True',
        'Delivered=True',
      ]);
    }
    await intrude('tag');
    await intrude('rekor2');
    for (const name of ['first', 'second']) {
      const { alarms, lastAlarm } = await until(name, 'Healthy', 'False');
      expect(alarms).to.equal(1);
      expect(lastAlarm).to.include({ kind: 'UnexplainedEntry', identity: pipelineIdentity });
      expect(lastAlarm?.['logIndex']).to.be.a('number');
      expect(lastAlarm?.['certificateSha256']).to.match(/^[0-9a-f]{64}$/);
      const call = await waitFor(() => Promise.resolve(received(name)[0]), { what: 'the call', timeoutMs });
      expect(call.headers.authorization).to.equal('Bearer of-the-receiver');
      expect(call.headers['x-chainwright-signature']).to.equal(signatureOf(call, hmacKey));
      expect(call.alarm.details['logIndex']).to.equal(lastAlarm?.['logIndex']);
      // A look at the log may be interrupted at any time, which the fifth column says until the next one.
      const line = await waitFor(
        async () => {
          const columns = (await kubectl(['get', 'logmonitor', name, '--no-headers'])).trim().split(/\s+/);
          return columns[4] === 'True' ? columns : undefined;
        },
        { what: 'the log being read to its end as kubectl shows it', timeoutMs },
      );
      expect(line.slice(0, 5)).to.deep.equal([
        name,
        name === 'first' ? scene.stack.rekorUrl : scene.stack.rekor2Url,
        'False',
        'UnexplainedEntry',
        'True',
      ]);
      expect(await monitor.metrics()).to.match(
        new RegExp(
          `^chainwright_monitor_alarms_total\\{logmonitor="${name}",alarm="UnexplainedEntry"\\} 1$`,
          'm',
        ),
      );
      const told = await waitFor(
        async () => {
          const field = `involvedObject.name=${name},reason=UnexplainedEntry`;
          const query = `fieldSelector=${encodeURIComponent(field)}`;
          const [event] = await scene.api.list(`/api/v1/namespaces/default/events?${query}`);
          return event;
        },
        { what: 'the Event', timeoutMs },
      );
      expect(told['message']).to.include(pipelineIdentity);
      await scene.api.mergePatch(`${path}/${name}`, { spec: { acknowledgedAlarms: 1 } });
      await until(name, 'Healthy', 'True');
    }
    expect(received('first')).to.have.length(1);
    expect(received('second')).to.have.length(1);
  }).timeout(400_000);

  it('miss no index while the monitor is killed, and another replica takes over', async () => {
    await create('third', 2);
    await using one = await MonitorProcess.inCluster(scene.stack);
    await until('third', 'CaughtUp', 'True');
    await using other = await MonitorProcess.inCluster(scene.stack);
    await one.kill();
    await intrude('rekor2');
    const { alarms } = await until('third', 'Healthy', 'False');
    expect(alarms).to.equal(1);
    await waitFor(
      async () => (/^chainwright_monitor_active 1$/m.test(await other.metrics()) ? true : undefined),
      { what: 'the other replica being the one that works', timeoutMs },
    );
    await other.kill();
    await intrude('rekor2');
    await one.restart();
    const status = await waitFor(
      async () => {
        const now = await statusOf('third');
        return (now.alarms ?? 0) > 1 ? now : undefined;
      },
      { what: 'the second alarm', timeoutMs },
    );
    expect(status.alarms).to.equal(2);
    // The first may come twice: its receiver was called, and whoever called was killed before it noted that.
    await waitFor(() => Promise.resolve(received('third').length > 1 || undefined), {
      what: 'a call for each',
      timeoutMs,
    });
    expect(received('third')).to.have.length(2);
  }).timeout(400_000);

  it('show a receiver that does not take an alarm, and call it again', async () => {
    await create('fourth', 2);
    await using _ = await MonitorProcess.inCluster(scene.stack);
    await until('fourth', 'CaughtUp', 'True');
    inbox.status = 503;
    await intrude('rekor2');
    const { conditions } = await until('fourth', 'Delivered', 'False');
    expect(conditions?.find(({ type }) => type === 'Delivered')?.message).to.include('1 alarms wait');
    inbox.status = 204;
    await until('fourth', 'Delivered', 'True');
    expect(received('fourth').map(({ alarm }) => alarm.alarm)).to.deep.equal(['UnexplainedEntry']);
  }).timeout(400_000);

  it('say what keeps a log from being followed, and follow it once that is mended', async () => {
    await create('fifth', 2, { trustRootRef: 'absent' });
    await using _ = await MonitorProcess.inCluster(scene.stack);
    // An API server that does not answer in time keeps it from that too, for a moment.
    await until('fifth', 'Ready', 'False', 'ERR_KUBE_NOT_FOUND');
    await scene.api.mergePatch(`${path}/fifth`, { spec: { trustRootRef: trustRoot } });
    await until('fifth', 'CaughtUp', 'True');
  });

  it('are refused at the API server where they cannot be followed', async () => {
    const cases: [string, object][] = [
      ['identities or keys must tell', { identities: [] }],
      ['give one of subject and subjectRegExp', { identities: [{ issuer: 'https://a' }] }],
      ['must be a public key in PEM', { keys: [{ data: 'AAAA' }] }],
      ['spec.log.apiVersion', { log: { url: 'https://a', apiVersion: 3 } }],
      ['spec.webhook.url', { webhook: { url: 'ftp://a' } }],
    ];
    for (const [reason, spec] of cases) {
      const { refusal } = await scene.api.attempt((api) => api.create(path, draft('sixth', 1, spec)));
      expect(refusal?.message, reason).to.include(reason);
    }
    await create('sixth', 1);
    const { refusal } = await scene.api.attempt((api) =>
      api.mergePatch(`${path}/sixth`, { spec: { log: { url: 'https://another' } } }),
    );
    expect(refusal?.message).to.include('make another LogMonitor');
  });
});
