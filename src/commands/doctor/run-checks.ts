import { withDeadline } from '../../kube/deadline.ts';
import { isAppError, messageOf } from '../../model/errors.ts';
import { exitCodes } from '../exit-code.ts';
import type { Check, ClusterParts, SettingsReading, SigningParts } from './examination.ts';
import { findingTable } from './finding-table.ts';
import type { Discovery, Finding } from './finding-table.ts';

/** What became of a check. */
export interface CheckedPart {
  readonly check: string;
  /** `skipped`: what it needs is at fault itself. */
  readonly outcome: 'good' | 'found' | 'skipped';
}

/** What doctor has to say. */
export interface Diagnosis {
  readonly checks: readonly CheckedPart[];
  readonly findings: readonly Finding[];
}

/** What all checks are made with; the second part is missing where there are no settings to go by. */
export interface ExaminationParts {
  readonly cluster: ClusterParts;
  readonly settings: SettingsReading;
  readonly signing: Omit<SigningParts, keyof ClusterParts> | undefined;
  readonly checkMs: number;
}

const order = ['error', 'warning', 'notice'];

/** Makes all checks, each within its time; what one throws is a finding, and the others are made all the same. */
export async function runChecks(checks: readonly Check[], parts: ExaminationParts): Promise<Diagnosis> {
  const made = await Promise.all(checks.map(async (check) => make(check, parts)));
  const findings = made.flatMap(({ findings: found }) => found);
  return {
    checks: made.map(({ check, outcome }) => ({ check, outcome })),
    findings: findings.toSorted((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity)),
  };
}

async function make(
  check: Check,
  parts: ExaminationParts,
): Promise<CheckedPart & { readonly findings: readonly Finding[] }> {
  const { cluster, settings, signing, checkMs } = parts;
  const { signal } = cluster;
  const base = { check: check.name };
  try {
    const found = await withDeadline(checkMs, signal, async (bounded) => {
      const own = { ...cluster, signal: bounded };
      if (check.needs === 'cluster') return check.look(own, settings);
      return signing === undefined ? undefined : check.look({ ...own, ...signing });
    });
    if (found === undefined) return { ...base, outcome: 'skipped', findings: [] };
    const findings = found.map((discovery) => toFinding(check.name, discovery));
    return { ...base, outcome: findings.length === 0 ? 'good' : 'found', findings };
  } catch (error) {
    signal.throwIfAborted();
    return { ...base, outcome: 'found', findings: [toFinding(check.name, discoveryOf(error, check.name))] };
  }
}

/** What it means that a check threw. */
function discoveryOf(error: unknown, check: string): Discovery {
  if (!isAppError(error)) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    return { id: isLate ? 'unreachable' : 'check-failed', object: check, message: messageOf(error) };
  }
  const { code, message, object = check, kind } = error;
  const told = { object, message: `${code}: ${message}` };
  if (code === 'ERR_KUBE_FORBIDDEN') return { id: 'not-checked', ...told };
  return { id: kind === 'passing' ? 'unreachable' : 'check-failed', ...told };
}

function toFinding(check: string, { id, object, message }: Discovery): Finding {
  const { severity, remedy } = findingTable[id];
  return { id, severity, check, object, message, remedy };
}

/** 1 where there is an error; 3 where all errors are servers that do not answer. */
export function exitCodeOfFindings(findings: readonly Finding[]): number {
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return exitCodes.good;
  return errors.every(({ id }) => id === 'unreachable') ? exitCodes.unreachable : exitCodes.checkFailed;
}

/** As text for people. */
export function formatDiagnosis({ checks, findings }: Diagnosis): string {
  const lines = findings.flatMap(({ id, severity, object, message, remedy }) => [
    `${severity.padEnd(7)}  ${id}  ${object}`,
    `         ${printable(message).replaceAll('\n', '\n         ')}`,
    `         -> ${remedy}`,
    '',
  ]);
  const counted = order
    .map((severity) => ({ severity, count: findings.filter((one) => one.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}${count === 1 ? '' : 's'}`);
  const skipped = checks.filter(({ outcome }) => outcome === 'skipped').map(({ check }) => check);
  return [
    ...lines,
    `${checks.length - skipped.length} checks made: ${counted.join(', ') || 'nothing found'}`,
    ...(skipped.length === 0 ? [] : [`not made without settings: ${skipped.join(', ')}`]),
    '',
  ].join('\n');
}

/** Objects of the cluster may hold anything; a terminal must not act on it. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, '?');
}
