import { isDeepStrictEqual } from 'node:util';
import type { ChainsKeyOutcome, ResolvedSettings } from './resolution.ts';
import type { SettingsSource } from './settings-fault.ts';
import type { Settings } from './settings-schema.ts';
import { leafPaths, valueAt } from './settings-tree.ts';

/** One setting in force. */
export interface ReportedField {
  /** Dotted path as in `spec`; durations have `Ms` at their end. */
  readonly path: string;
  /** As JSON text, cut at 256 characters. */
  readonly value: string;
  readonly source: SettingsSource;
}

const maxValue = 256;

/** Every setting in force with where it comes from, in the order of the schema. */
export function reportFields({
  settings,
  origins,
}: Pick<ResolvedSettings, 'settings' | 'origins'>): readonly ReportedField[] {
  return leafPaths(settings).map((path) => ({
    path,
    value: JSON.stringify(valueAt(settings, path.split('.'))).slice(0, maxValue),
    source: sourceOf(path, origins),
  }));
}

function sourceOf(path: string, origins: ReadonlyMap<string, SettingsSource>): SettingsSource {
  // Of `retry.base` the settings hold `retry.baseMs`; of a list or a key every part has the source of the whole.
  const given = path.replace(/Ms$/, '');
  const owner = [...origins.keys()].find(
    (known) =>
      known === path || known === given || path.startsWith(`${known}.`) || known.startsWith(`${path}.`),
  );
  return owner === undefined ? 'default' : (origins.get(owner) ?? 'default');
}

/** Keys of `chains-config` that are not plainly honoured, in words; empty if all are. */
export function describeChainsKeys(outcomes: readonly ChainsKeyOutcome[]): readonly string[] {
  return outcomes
    .filter(({ verdict }) => verdict !== 'honoured')
    .map(({ key, verdict, message }) =>
      verdict === 'overridden'
        ? `${key}: a stronger source decides${message === undefined ? '' : ` (${message})`}`
        : `${key} ${message ?? verdict}`,
    );
}

/** A part of ours that follows the settings. */
export type SettingsUser = 'controller' | 'webhook';

const telemetryPaths = ['telemetry.logFormat', 'telemetry.metricsAddress', 'telemetry.gelf'];

// What a process has bound, opened or split up when it started.
const restartPaths: Readonly<Record<SettingsUser, readonly string[]>> = {
  controller: ['controller.namespaces', ...telemetryPaths],
  webhook: [
    'trustedRoot',
    'webhook.address',
    'webhook.timeoutMs',
    'webhook.policyResyncMs',
    'webhook.trustRootResyncMs',
    ...telemetryPaths,
  ],
};

/** The settings that differ from those that the process started with, and that it cannot change while it runs. */
export function findRestartFields(
  user: SettingsUser,
  started: Settings,
  wanted: Settings,
): readonly string[] {
  return restartPaths[user]
    .filter((path) => !isDeepStrictEqual(valueAt(started, path.split('.')), valueAt(wanted, path.split('.'))))
    .map((path) => path.replace(/Ms$/, ''));
}
