import { markup } from '../../html/markup.ts';
import type { Markup } from '../../html/markup.ts';
import { renderPage } from '../../html/page.ts';
import { bullets, code, facts, figures, moment, table, tag } from '../../html/parts.ts';
import type { Tone } from '../../html/parts.ts';
import type { AskedPolicy, ImpactOutcome, ImpactReport, ImpactRow } from './impact-report.ts';
import { checkInWords, shortImage } from './impact-text.ts';
import type { PastDecision } from './past-decisions.ts';

const tones: Readonly<Record<ImpactOutcome, Tone>> = {
  denied: 'bad',
  unknown: 'warn',
  excepted: 'warn',
  warned: 'warn',
  admitted: 'good',
};

/** A browser still scrolls through this many; JSON holds them all. */
const maxRows = 2000;
const maxPast = 500;

/** A report as a page of its own. */
export function renderImpact(report: ImpactReport): string {
  const { policies, namespaces, findings, past, registryRequests, besides } = report;
  const at = new Date(report.at);
  const names = policies.map(({ name }) => name).join(', ');
  const told = findings.filter(({ outcome }) => outcome !== 'admitted');
  const admitted = findings.filter(({ outcome }) => outcome === 'admitted');
  return renderPage({
    title: `Impact of ${names}`,
    subtitle: markup`What would become of the workloads in ${namespaces.length} namespaces if ${
      policies.length === 1 ? 'this policy' : 'these policies'
    } enforced, as of ${moment(report.at)}`,
    at,
    body: [
      verdictOf(report),
      figuresOf(report),
      markup`<section><h2>Not admitted</h2>${notAdmitted(told)}</section>`,
      ...(past === undefined ? [] : [pastOf(past)]),
      markup`<section><h2>Admitted</h2>${admittedTable(admitted)}</section>`,
      policiesOf(policies, besides),
      markup`<section class="card"><h2>How this was found out</h2>${facts([
        ['Namespaces', namespaces.join(', ')],
        ['Requests to registries', registryRequests],
        [
          'Judged',
          'What runs, by the digest that the kubelet reports, and what templates name, as the webhook would judge it; each image with the credentials of its workload.',
        ],
      ])}</section>`,
    ],
  });
}

function verdictOf({ safety }: ImpactReport): Markup {
  const { verdict, reasons } = safety;
  const [tone, title] = (
    {
      safe: ['good', 'Safe to enforce'],
      watch: ['warn', 'Not proven safe yet'],
      unsafe: ['bad', 'Not safe to enforce'],
    } as const
  )[verdict];
  return markup`<section class="verdict ${tone}" id="verdict"><h2>${title}</h2>${bullets(reasons)}</section>`;
}

function figuresOf({ totals }: ImpactReport): Markup {
  return figures([
    ['Workloads', totals.workloads],
    ['denied', totals.workloadsDenied, 'bad'],
    ['denied, not today', totals.workloadsNewlyDenied, 'bad'],
    ['unknown', totals.workloadsUnknown, 'warn'],
    ['excepted', totals.workloadsExcepted, 'warn'],
    ['Pods', totals.pods],
    ['Pods denied', totals.podsDenied, 'bad'],
    ['Images', totals.images],
  ]);
}

function notAdmitted(rows: readonly ImpactRow[]): Markup {
  if (rows.length === 0) return markup`<p>Nothing: every image would be admitted.</p>`;
  const namespaces = Map.groupBy(rows.slice(0, maxRows), ({ namespace }) => namespace);
  const cut =
    rows.length > maxRows ? markup`<p>${rows.length - maxRows} more are in the JSON alone.</p>` : markup``;
  return markup`${[...namespaces].map(([namespace, list]) => namespaceSection(namespace, list))}${cut}`;
}

function namespaceSection(namespace: string, rows: readonly ImpactRow[]): Markup {
  const columns = ['Workload', 'Image', 'Pods', 'Today', 'Then', 'Why, and what to do'];
  return markup`<h3>Namespace ${namespace}</h3>${table(
    `What would not simply be admitted in ${namespace}`,
    columns.map((title) => ({ title, isNumber: title === 'Pods' })),
    rows.map((row) => [
      `${row.owner.kind} ${row.owner.name}`,
      code(shortImage(row.image)),
      row.pods,
      outcomeTag(row.today),
      outcomeTag(row.outcome),
      whyOf(row),
    ]),
  )}`;
}

function outcomeTag(outcome: ImpactOutcome): Markup {
  return tag(tones[outcome], outcome);
}

function whyOf({ unmet, nextStep, exceptions }: ImpactRow): Markup {
  const checks = unmet.map(
    (check) =>
      markup`<strong>${check.policy === '' ? 'no policy' : check.policy}</strong>: ${checkInWords(check)} <span class="soft">${check.code}</span><br>${check.message}`,
  );
  const excused = exceptions.map(
    ({ name, approvedBy, reason, expiresAt }) =>
      markup`Exception <strong>${name}</strong> until ${moment(expiresAt)}, approved by ${approvedBy}: ${reason}`,
  );
  const next =
    nextStep === undefined ? markup`` : markup`<p class="next"><strong>Next:</strong> ${nextStep}</p>`;
  return markup`${bullets([...excused, ...checks])}${next}`;
}

function admittedTable(rows: readonly ImpactRow[]): Markup {
  if (rows.length === 0) return markup`<p>Nothing.</p>`;
  const columns = ['Workload', 'Namespace', 'Image', 'Pods', 'Today'];
  return table(
    `Images of workloads that would be admitted: ${rows.length}`,
    columns.map((title) => ({ title, isNumber: title === 'Pods' })),
    rows
      .slice(0, maxRows)
      .map(({ owner, namespace, image, pods, today }) => [
        `${owner.kind} ${owner.name}`,
        namespace,
        code(shortImage(image)),
        pods,
        outcomeTag(today),
      ]),
  );
}

function pastOf(past: readonly PastDecision[]): Markup {
  const columns = ['Time', 'Object', 'Event', 'Image', 'Would be', 'Message'];
  const rows = past.slice(0, maxPast);
  return markup`<section><h2>What was denied or warned of before</h2>${
    rows.length === 0
      ? markup`<p>No Event tells of a denial or warning.</p>`
      : table(
          `The newest ${rows.length} of ${past.length} Events of webhook and scan`,
          columns.map((title) => ({ title })),
          rows.map(({ at, namespace, object, reason, times, image, then, message }) => [
            moment(at),
            `${namespace}: ${object}`,
            times > 1 ? `${reason} (${times} times)` : reason,
            image === undefined ? '' : code(shortImage(image)),
            then === undefined ? '' : outcomeTag(then),
            message,
          ]),
        )
  }</section>`;
}

function clusterVersionOf(version: AskedPolicy['inCluster']): Markup | string {
  if (version === undefined) return 'no';
  const { isSame, mode, since } = version;
  const when = since === undefined ? 'since an unknown time' : markup`since ${moment(since)}`;
  return markup`${isSame ? '' : 'another version, '}${when} with mode ${mode}`;
}

function policiesOf(policies: readonly AskedPolicy[], besides: readonly string[]): Markup {
  const given = table(
    'Judged as if they enforced',
    ['Policy', 'Mode as written', 'Evaluation', 'Images', 'In the cluster'].map((title) => ({ title })),
    policies.map(({ name, mode, evaluation, images, inCluster }) => [
      name,
      mode,
      evaluation,
      images.map((glob, index) => markup`${index === 0 ? '' : ', '}${code(glob)}`),
      clusterVersionOf(inCluster),
    ]),
  );
  const others =
    besides.length === 0
      ? markup``
      : markup`<p>Besides, these of the cluster count: ${besides.join(', ')}</p>`;
  return markup`<section class="card"><h2>Policies</h2>${given}${others}</section>`;
}
