import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { request } from 'undici';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { Child } from './child.ts';
import { freePort } from './free-port.ts';
import { pipelineIdentity } from './judges.ts';
import { waitFor } from './waiting.ts';

const checkout = resolve(import.meta.dirname, '../..');

const account = { namespace: 'tekton-chains', name: 'chainwright-monitor' };

/** An alarm as the monitor logs it. */
export interface LoggedAlarm {
  readonly alarm: string;
  readonly logIndex?: number;
  readonly [field: string]: unknown;
}

/**
 * `chainwright monitor` as its own process with the rights in config/rbac/monitor.yaml, watching for the pipeline's identity from
 * the end of the log on.
 */
export class MonitorProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #metricsAddress: string;
  readonly #child: Child;

  private constructor(folder: string, metricsAddress: string, child: Child) {
    this.#folder = folder;
    this.#metricsAddress = metricsAddress;
    this.#child = child;
  }

  /** Starts it and waits until it has seen the end of the log. `logUrl` is the stack's own log if absent. */
  static async start(stack: Stack, logUrl = stack.rekorUrl): Promise<MonitorProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-monitor-'));
    await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/rbac/monitor.yaml')]);
    const kubeconfig = join(folder, 'kubeconfig');
    await writeAccountKubeconfig(stack, account, kubeconfig);
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const { PATH = '' } = process.env;
    const flags = {
      '--log-url': logUrl,
      '--trusted-root': stack.trustedRoot,
      '--identity': pipelineIdentity,
      '--issuer': stack.issuer,
      '--state': join(folder, 'state.json'),
      '--interval': '1s',
      '--metrics-address': metricsAddress,
    };
    const child = await Child.start({
      name: 'chainwright monitor',
      file: join(checkout, 'bin/chainwright'),
      args: ['monitor', ...Object.entries(flags).flat()],
      env: { PATH, HOME: folder, KUBECONFIG: kubeconfig, SSL_CERT_FILE: stack.ca },
      logFile: join(folder, 'log'),
    });
    const monitor = new MonitorProcess(folder, metricsAddress, child);
    try {
      await waitFor(() => monitor.#findReady(), { what: 'the monitor being ready', timeoutMs: 60_000 });
      return monitor;
    } catch (error) {
      const failure = await child.failure(String(error));
      await monitor[Symbol.asyncDispose]();
      throw failure;
    }
  }

  /** All alarms so far. */
  async alarms(): Promise<readonly LoggedAlarm[]> {
    const lines = (await readFile(this.#child.logFile, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as LoggedAlarm).filter((line) => 'alarm' in line);
  }

  /** The alarm that `isMeant` means, once it was raised. */
  async alarm(isMeant: (alarm: LoggedAlarm) => boolean): Promise<LoggedAlarm> {
    return waitFor(async () => (await this.alarms()).find(isMeant), { what: 'the alarm', timeoutMs: 60_000 });
  }

  /** Resolves once all entries up to an index were read, and judged for good. */
  async read(logIndex: number): Promise<void> {
    const isRead = async (): Promise<true | undefined> => {
      const { body } = await request(`http://${this.#metricsAddress}/metrics`);
      const [, next = '0'] = /^chainwright_monitor_next_index (\d+)$/m.exec(await body.text()) ?? [];
      return Number(next) > logIndex ? true : undefined;
    };
    await waitFor(isRead, { what: `entry ${logIndex} being read`, timeoutMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
    await rm(this.#folder, { recursive: true });
  }

  async #findReady(): Promise<true | undefined> {
    const { statusCode, body } = await request(`http://${this.#metricsAddress}/readyz`);
    await body.dump();
    return statusCode === 200 ? true : undefined;
  }
}
