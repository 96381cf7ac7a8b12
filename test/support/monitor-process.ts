import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kubectl } from '../../hack/stack/stack.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { writeAccountKubeconfig } from './account-kubeconfig.ts';
import { ChainwrightProcess, checkout, processEnvironment } from './chainwright-process.ts';
import type { ChainwrightLaunch } from './chainwright-process.ts';
import { freePort } from './free-port.ts';
import { pipelineIdentity } from './judges.ts';
import { waitFor } from './waiting.ts';

const account = { namespace: 'chainwright-monitor', name: 'chainwright-monitor' };

/** An alarm as the monitor logs it. */
export interface LoggedAlarm {
  readonly alarm: string;
  readonly logIndex?: number;
  readonly [field: string]: unknown;
}

interface LoggedRead {
  readonly message: string;
  readonly entries?: number;
  readonly durationMs?: number;
}

/** Which log is watched, and how, where it is not the stack's Rekor v1. */
export interface WatchedLog {
  readonly url?: string;
  readonly apiVersion?: '1' | '2';
  readonly trustedRoot?: string;
  /** More flags. */
  readonly more?: readonly string[];
}

/**
 * `chainwright monitor` as its own process with the rights in config/monitor/rbac.yaml, watching for the pipeline's identity from
 * the end of the log on.
 */
export class MonitorProcess extends ChainwrightProcess implements AsyncDisposable {
  readonly #folder: string;
  #firstLook: number | undefined;

  private constructor(folder: string, launch: ChainwrightLaunch) {
    super(launch);
    this.#folder = folder;
  }

  /** Starts it and waits until it has seen the end of the log, the stack's Rekor v1 unless `watched` says otherwise. */
  static start(stack: Stack, watched: WatchedLog = {}): Promise<MonitorProcess> {
    const { url = stack.rekorUrl, apiVersion = '1', trustedRoot = stack.trustedRoot, more = [] } = watched;
    return MonitorProcess.#launch(stack, (folder) => [
      ...['--log-url', url, '--log-api-version', apiVersion, '--trusted-root', trustedRoot],
      ...['--identity', pipelineIdentity, '--issuer', stack.issuer],
      ...['--state', join(folder, 'state.json'), '--interval', '1s', ...more],
    ]);
  }

  /** Reads a log from its beginning to its end; gives how many entries that were, and the time from the first to the last. */
  static async once(
    stack: Stack,
    { url = stack.rekorUrl, apiVersion = '1' }: WatchedLog,
  ): Promise<{ readonly entries: number; readonly seconds: number }> {
    const args = ['--log-url', url, '--log-api-version', apiVersion, '--trusted-root', stack.trustedRoot];
    const flags = ['--once', '--no-cluster', '--start-index', '0', '--identity', 'https://nobody.example'];
    const env = { PATH: process.env['PATH'] ?? '', SSL_CERT_FILE: stack.ca, HOME: tmpdir() };
    const command = promisify(execFile)(join(checkout, 'bin/chainwright'), ['monitor', ...args, ...flags], {
      env,
    });
    const { stderr } = await command;
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LoggedRead);
    const { entries = 0, durationMs = 0 } =
      lines.find(({ message }) => message === 'the log was looked through') ?? {};
    return { entries, seconds: durationMs / 1000 };
  }

  /** Starts it as its Deployment does: it follows the LogMonitors of the cluster, if no other replica does. */
  static inCluster(stack: Stack): Promise<MonitorProcess> {
    return MonitorProcess.#launch(stack, () => [`--namespace=${account.namespace}`]);
  }

  static async #launch(stack: Stack, argsOf: (folder: string) => readonly string[]): Promise<MonitorProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'chainwright-monitor-'));
    for (const file of ['namespace.yaml', 'rbac.yaml']) {
      await kubectl(['apply', '--server-side', '-f', join(checkout, 'config/monitor', file)]);
    }
    await writeAccountKubeconfig(stack, account, join(folder, 'kubeconfig'));
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const monitor = new MonitorProcess(folder, {
      command: 'monitor',
      args: [...argsOf(folder), '--metrics-address', metricsAddress],
      env: processEnvironment(stack, folder),
      logFile: join(folder, 'log'),
      metricsAddress,
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
    // What follows the last line end is still being written.
    const whole = (await readFile(this.logFile, 'utf8')).split('\n').slice(0, -1);
    return whole.flatMap(readLine).filter((line) => 'alarm' in line);
  }

  /** The alarm that `isMeant` means, once it was raised. */
  async alarm(isMeant: (alarm: LoggedAlarm) => boolean): Promise<LoggedAlarm> {
    return waitFor(async () => (await this.alarms()).find(isMeant), {
      what: 'the alarm',
      timeoutMs: 120_000,
    });
  }

  /** Resolves once all entries up to an index were read and judged, the alarms about them raised, and all that stored. */
  async read(logIndex: number): Promise<void> {
    const isRead = async (): Promise<true | undefined> => {
      const [, next = '0'] = /^chainwright_monitor_next_index\{.*\} (\d+)$/m.exec(await this.metrics()) ?? [];
      return Number(next) > logIndex ? true : undefined;
    };
    await waitFor(isRead, { what: `entry ${logIndex} being read`, timeoutMs: 120_000 });
    await this.look();
  }

  /** Resolves once a look at the log that was under way when this was called, if any, and another one are over. */
  async look(): Promise<void> {
    // The time is told before the alarms of the same look are raised: the next look's tells that they were.
    for (const _ of [1, 2]) {
      const before = await this.#caughtUp();
      await waitFor(async () => ((await this.#caughtUp()) > before ? true : undefined), {
        what: 'a look at the log',
        timeoutMs: 120_000,
      });
    }
  }

  /** For how many seconds, from the first time that this was asked, the log was read to its end again and again. */
  async looks(): Promise<number> {
    const time = await this.#caughtUp();
    this.#firstLook ??= time;
    return time - this.#firstLook;
  }

  async #caughtUp(): Promise<number> {
    const [, time = '0'] =
      /^chainwright_monitor_last_caught_up_timestamp_seconds\{.*\} (\S+)$/m.exec(await this.metrics()) ?? [];
    return Number(time);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopIfStarted();
    await rm(this.#folder, { recursive: true });
  }
}

/** A line of the log; none if a SIGKILL cut it: the first line of the next process, which is no alarm, then stands behind it. */
function readLine(line: string): LoggedAlarm[] {
  try {
    return [JSON.parse(line) as LoggedAlarm];
  } catch {
    return [];
  }
}
