import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { counter } from './operation-metrics.ts';

/** What is reported of settings that change while the process runs. */
export interface SettingsMetrics {
  /** Whether settings are in force, and whether those are the newest. */
  settingsStand(state: { readonly isInForce: boolean; readonly isNewest: boolean }): void;
  settingsChanged(result: 'taken' | 'refused'): void;
}

/** Metrics of settings on `registry`. */
export function settingsMetrics(registry: Registry): SettingsMetrics {
  const changes = counter(
    registry,
    'settings_changes_total',
    'Changes of the settings, by what became of them.',
    ['result'],
  );
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `chainwright_${name}`, help, registers: [registry] });
  const inForce = gauge('settings_in_force', '1 once settings are in force, else 0: nothing is done then.');
  const broken = gauge('settings_broken', '1 while the newest settings cannot be used and older ones count.');
  return {
    settingsStand: ({ isInForce, isNewest }) => {
      inForce.set(isInForce ? 1 : 0);
      broken.set(isNewest ? 0 : 1);
    },
    settingsChanged: (result) => {
      changes.inc({ result });
    },
  };
}
