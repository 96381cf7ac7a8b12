import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { ChainwrightProcess, checkout, processEnvironment } from './chainwright-process.ts';
import type { ChainwrightLaunch } from './chainwright-process.ts';
import { freePort } from './free-port.ts';
import { pipelineIdentity } from './judges.ts';
import { waitFor } from './waiting.ts';

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
export class MonitorProcess extends ChainwrightProcess implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string, launch: ChainwrightLaunch) {
    super(launch);
    this.#folder = folder;
  }

  /** Starts it and waits until it has seen the end of the log. `logUrl` is the stack's own log if absent. */
  static async start(stack: Stack, logUrl = stack.rekorUrl): Promise<MonitorProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-monitor-'));
    await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/rbac/monitor.yaml')]);
    await writeAccountKubeconfig(stack, account, join(folder, 'kubeconfig'));
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const flags = {
      '--log-url': logUrl,
      '--trusted-root': stack.trustedRoot,
      '--identity': pipelineIdentity,
      '--issuer': stack.issuer,
      '--state': join(folder, 'state.json'),
      '--interval': '1s',
      '--metrics-address': metricsAddress,
    };
    const monitor = new MonitorProcess(folder, {
      command: 'monitor',
      args: Object.entries(flags).flat(),
      env: processEnvironment(stack, folder),
      logFile: join(folder, 'log'),
      metricsAddress,
      readyWithinMs: 60_000,
    });
    try {
      await monitor.restart();
      return monitor;
    } catch (error) {
      await monitor[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All alarms so far. */
  async alarms(): Promise<readonly LoggedAlarm[]> {
    const lines = (await readFile(this.logFile, 'utf8')).split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as LoggedAlarm).filter((line) => 'alarm' in line);
  }

  /** The alarm that `isMeant` means, once it was raised. */
  async alarm(isMeant: (alarm: LoggedAlarm) => boolean): Promise<LoggedAlarm> {
    return waitFor(async () => (await this.alarms()).find(isMeant), { what: 'the alarm', timeoutMs: 60_000 });
  }

  /** Resolves once all entries up to an index were read, and judged for good. */
  async read(logIndex: number): Promise<void> {
    const isRead = async (): Promise<true | undefined> => {
      const [, next = '0'] = /^chainwright_monitor_next_index (\d+)$/m.exec(await this.metrics()) ?? [];
      return Number(next) > logIndex ? true : undefined;
    };
    await waitFor(isRead, { what: `entry ${logIndex} being read`, timeoutMs: 60_000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopIfStarted();
    await rm(this.#folder, { recursive: true });
  }
}
