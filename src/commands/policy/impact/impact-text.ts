import { harmlessText } from '../../../policy/explanation.ts';
import { formatTable } from '../../wiring/table.ts';
import type { ImpactReport, ImpactRow, UnmetCheck } from './impact-report.ts';

const columns = ['NAMESPACE', 'WORKLOAD', 'IMAGE', 'PODS', 'TODAY', 'THEN', 'CHECK'];
const verdicts = {
  safe: 'SAFE to enforce',
  watch: 'NOT PROVEN SAFE yet',
  unsafe: 'NOT SAFE to enforce',
} as const;

/** A report for a terminal: what is not admitted, why, what to do about it, and whether it is safe. */
export function formatImpact(report: ImpactReport): string {
  const { policies, namespaces, totals, findings, past, registryRequests, safety } = report;
  const told = findings.filter(({ outcome }) => outcome !== 'admitted');
  const names = policies.map(({ name, mode }) => `${name} (mode: ${mode})`).join(', ');
  const lines = [
    `If ${names} enforced: ${totals.workloads} workloads with ${totals.pods} Pods in ${namespaces.length} namespaces`,
    `  ${totals.workloadsDenied} denied (${totals.workloadsNewlyDenied} not today), ${totals.workloadsUnknown} unknown, ${totals.workloadsExcepted} excepted; ${totals.podsDenied} Pods denied`,
    ...(told.length === 0 ? [] : ['', formatTable(columns, told.map(rowOf))]),
    ...formatReasons(told),
    ...(past === undefined ? [] : formatPast(past)),
    '',
    verdicts[safety.verdict],
    ...safety.reasons.map((reason) => `  ${reason}`),
    `registries were asked ${registryRequests} times`,
  ];
  return `${lines.join('\n')}\n`;
}

/** The checks in a few words: `pipeline-signature/sbom-cyclonedx missing`. */
export function checkInWords({ authority, check, outcome }: UnmetCheck): string {
  return `${authority === '' ? '' : `${authority}/`}${check} ${outcome}`;
}

/** An image without the middle of its digest. */
export function shortImage(image: string): string {
  return image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]{52}$/, '@sha256:$1…');
}

function rowOf({ namespace, owner, image, pods, today, outcome, unmet }: ImpactRow): readonly string[] {
  const [first, ...rest] = unmet;
  const check = first === undefined ? '' : checkInWords(first);
  const more = rest.length === 0 ? '' : ` and ${rest.length} more`;
  const place = [namespace, `${owner.kind}/${owner.name}`, shortImage(image), String(pods)];
  return [...place, today, outcome, `${check}${more}`].map(harmlessText);
}

/** Each reason once, however many images have it. */
function formatReasons(rows: readonly ImpactRow[]): readonly string[] {
  const groups = Map.groupBy(
    rows.flatMap((row) => row.unmet.map((check) => ({ row, check }))),
    ({ row, check }) => JSON.stringify([check.policy, checkInWords(check), check.code, row.nextStep]),
  );
  return [...groups.values()].flatMap((group) => {
    const [one] = group;
    if (one === undefined) return [];
    const { policy, code, message } = one.check;
    const { nextStep } = one.row;
    const owners = new Set(group.map(({ row }) => `${row.namespace}/${row.owner.name}`));
    return [
      '',
      `${policy === '' ? 'no policy' : policy}: ${checkInWords(one.check)} (${code}), ${owners.size} workloads`,
      `  ${message}`,
      ...(nextStep === undefined ? [] : [`  Next: ${nextStep}`]),
    ].map(harmlessText);
  });
}

function formatPast(past: NonNullable<ImpactReport['past']>): readonly string[] {
  if (past.length === 0) return ['', 'No Event tells of a denial or warning.'];
  const rows = past
    .slice(0, 50)
    .map(({ at, namespace, object, reason, image = '', then = '' }) =>
      [at, namespace, object, reason, shortImage(image), then].map(harmlessText),
    );
  const more = past.length > rows.length ? [`and ${past.length - rows.length} more (--output json)`] : [];
  return ['', formatTable(['TIME', 'NAMESPACE', 'OBJECT', 'EVENT', 'IMAGE', 'THEN'], rows), ...more];
}
