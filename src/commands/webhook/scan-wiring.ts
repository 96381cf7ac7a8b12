import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { ExceptionRegister } from '../../policy/exception-register.ts';
import type { PolicyRegister } from '../../policy/policy-register.ts';
import { ScanPace } from '../../reconcilers/scan/scan-pace.ts';
import { Scanner } from '../../reconcilers/scan/scanner.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { LiveJudging } from './judging-wiring.ts';
import { runLive } from './live-part.ts';
import type { WebhookWiring } from './webhook-wiring.ts';

/** What the scan needs besides. */
export interface ScanWiring {
  readonly register: PolicyRegister;
  readonly exceptions: ExceptionRegister;
  readonly judging: LiveJudging;
}

// An older verdict is asked for again: half the interval, so that none is older than one and a half.
const shareOfInterval = 0.5;

/** Runs the background scan, if it is wanted, until `signal` aborts. */
export async function runScan(
  wiring: WebhookWiring,
  parts: ScanWiring,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { live, metrics, log } = wiring;
  let current: Scanner | undefined;
  metrics.watchScan(() => current?.state());
  const part = {
    ...{ name: 'scan', live, log },
    pick: ({ scan }: Settings) => scan,
    run: async (scan: Settings['scan'], running: typeof options): Promise<void> => {
      if (!scan.enabled) return;
      current = openScanner(wiring, parts, scan);
      await current.run(running);
      current = undefined;
    },
  };
  await runLive(part, options);
}

function openScanner(
  { flags, events, client, metrics, clock, log }: WebhookWiring,
  { register, exceptions, judging }: ScanWiring,
  scan: Settings['scan'],
): Scanner {
  const pace = new ScanPace(scan.evidencePerSecond, clock);
  const background = {
    maxAgeMs: scan.intervalMs * shareOfInterval,
    turn: (signal: AbortSignal) => pace.turn(signal),
  };
  const { namespace, webhookName } = flags;
  return new Scanner({
    ...{ client, namespace, webhookName, settings: scan, register, exceptions, events, metrics, clock },
    log: log.child({ component: 'scan' }),
    identity: `${hostname().toLowerCase().slice(0, 63)}-${randomBytes(4).toString('hex')}`,
    judge: ({ image, paths, ...asked }) =>
      judging.current.judging.judge({ image, paths }, { ...asked, background }),
  });
}
