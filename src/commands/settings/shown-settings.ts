import { isDeepStrictEqual } from 'node:util';
import { effectiveSettings } from '../../settings/effective-settings.ts';
import type { NamedPolicy } from '../../settings/policy-narrowing.ts';
import { judgeFields } from '../../settings/policy-narrowing.ts';
import type { RunFacts } from '../../settings/policy-selection.ts';
import type { ChainsKeyOutcome, ResolvedSettings, SettingsNotice } from '../../settings/resolution.ts';
import { reportFields } from '../../settings/settings-report.ts';
import { formatTable } from '../wiring/table.ts';

/** A setting, and where it comes from: a source of settings, or the SigningPolicies. */
interface ShownField {
  readonly field: string;
  readonly value: string;
  readonly source: string;
}

/** What `settings show` prints. */
export interface ShownSettings {
  readonly fields: readonly ShownField[];
  readonly chainsConfig: readonly ChainsKeyOutcome[];
  readonly notices: readonly SettingsNotice[];
  /** For a run: what its SigningPolicies bring about. */
  readonly run?: {
    readonly policies: readonly string[];
    /** `signed`, or why not. */
    readonly verdict: string;
    /** Fields of policies without effect, each with the reason. */
    readonly refused: readonly string[];
  };
}

/** What holds: for the cluster, or for one run and the policies of its namespace. `all`: settings with their default, too. */
export function showSettings(
  resolved: ResolvedSettings,
  {
    all,
    run,
    policies,
  }: {
    readonly all: boolean;
    readonly run?: RunFacts | undefined;
    readonly policies: readonly NamedPolicy[];
  },
): ShownSettings {
  const common = { chainsConfig: resolved.chainsKeys, notices: resolved.notices };
  const cluster = reportFields(resolved).map(({ path, value, source }) => ({ field: path, value, source }));
  const isShown = ({ source }: ShownField): boolean => all || source !== 'default';
  if (run === undefined) return { ...common, fields: cluster.filter(isShown) };
  const effective = effectiveSettings(resolved.settings, policies, run);
  const fields = reportFields({ ...resolved, settings: effective.settings }).map(
    ({ path, value, source }) => {
      const before = cluster.find(({ field }) => field === path);
      return {
        field: path,
        value,
        source: isDeepStrictEqual(before?.value, value) ? source : 'SigningPolicy',
      };
    },
  );
  const { skippedBy, logMissedBy } = effective;
  const refused = policies
    .filter(({ name }) => effective.policies.includes(name))
    .flatMap((policy) =>
      judgeFields(policy, resolved.settings).flatMap(({ field, refusal }) =>
        refusal === undefined ? [] : [`${policy.name}: ${field}: ${refusal}`],
      ),
    );
  return {
    ...common,
    fields: fields.filter(isShown),
    run: { policies: effective.policies, refused, verdict: verdictOf(resolved, skippedBy, logMissedBy) },
  };
}

function verdictOf({ settings }: ResolvedSettings, skippedBy?: string, logMissedBy?: string): string {
  if (settings.signer.type === 'none') return 'left unsigned: signer.type is none';
  if (skippedBy !== undefined) return `left unsigned by SigningPolicy ${skippedBy}`;
  if (logMissedBy !== undefined)
    return `waits: SigningPolicy ${logMissedBy} wants a log, which is switched off`;
  return 'signed';
}

/** As a person reads it. */
export function formatShown({ fields, chainsConfig, notices, run }: ShownSettings): string {
  const rows = fields.map(({ field, value, source }) => [field, value, source]);
  const keys = chainsConfig.map(({ key, verdict, message = '' }) => [key, verdict, message]);
  const sections = [
    rows.length === 0 ? 'every field has its default' : formatTable(['FIELD', 'VALUE', 'FROM'], rows),
    ...(keys.length === 0 ? [] : [formatTable(['KEY OF CHAINS-CONFIG', 'VERDICT', 'WHY'], keys)]),
    ...(run === undefined ? [] : [formatRun(run)]),
    ...notices
      .filter(({ source }) => source !== 'chains-config')
      .map(({ level, name, message }) => `${level}: ${name}: ${message}`),
  ];
  return `${sections.join('\n\n')}\n`;
}

function formatRun({ policies, verdict, refused }: NonNullable<ShownSettings['run']>): string {
  const lines = [
    `Such a run is ${verdict.startsWith('waits') ? 'kept waiting' : 'dealt with as follows'}: ${verdict}.`,
    policies.length === 0
      ? 'No SigningPolicy speaks of it.'
      : `SigningPolicies that speak of it: ${policies.join(', ')}.`,
    ...refused.map((line) => `  without effect: ${line}`),
  ];
  return lines.join('\n');
}
