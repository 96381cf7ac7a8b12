import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { expect } from 'chai';
import { parse } from 'yaml';
import { alarmKinds } from '../../../src/monitor/alarm.ts';
import { createAdmissionMetrics } from '../../../src/telemetry/admission-metrics.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createMonitorMetrics } from '../../../src/telemetry/monitor-metrics.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

interface Rules {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Alert[] }[] };
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** A metric that an expression names, with what it asks of its labels. */
interface Selector {
  readonly metric: string;
  readonly labels: readonly { readonly name: string; readonly values: readonly string[] }[];
}

const alerts = (parse(read('config/components/alert-rules/alert-rules.yaml')) as Rules).spec.groups.flatMap(
  ({ rules }) => rules,
);
const { panels } = JSON.parse(read('config/components/grafana-dashboard/chainwright.json')) as Dashboard;
// What Grafana puts in.
const drawn = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ name: title, expr: expr.replaceAll('$__rate_interval', '5m') })),
);
const expressions = [...alerts.map(({ alert, expr }) => ({ name: alert, expr })), ...drawn];

/** What a dashboard would say twice, or to nobody: metric by metric, why. */
const notDrawn: Readonly<Record<string, string>> = {
  chainwright_queue_retries_total: 'passes over runs by outcome have the retried ones',
  chainwright_informer_relists_total: 'when the API server was last heard of tells whether it matters',
  chainwright_settings_changes_total:
    'conditions and Events tell of each change, and whether it is in force is drawn',
  chainwright_monitor_next_index: 'a number that only grows; how far the log goes beyond it is drawn',
};

/** `/metrics` of controller, webhook and log monitor, right after they have started. */
async function freshPages(): Promise<readonly string[]> {
  const options = { version: '0.0.0' };
  const [controller, webhook, monitor] = [
    createMetrics(options),
    createAdmissionMetrics(options),
    createMonitorMetrics({ ...options, alarms: alarmKinds }),
  ];
  for (const page of [controller, webhook, monitor]) {
    page.watchQueue(() => ({ waiting: 0, inWork: 0, oldestAgeSeconds: 0 }));
    page.watchGelf(() => ({ sent: 0, dropped: 0, waiting: 0 }));
    page.watchInformers(() => []);
  }
  controller.watchShares(() => ({ held: 8, replicas: 1 }));
  controller.watchBacklog(() => ({ runs: 0, oldestAgeSeconds: 0 }));
  webhook.policiesInForce(() => 1);
  webhook.watchScan(() => undefined);
  monitor.watchActive(() => true);
  monitor.of('one');
  return Promise.all([controller, webhook, monitor].map((page) => page.render()));
}

/** The names of all series that our servers have, as `/metrics` shows them. */
async function seriesInCode(): Promise<ReadonlySet<string>> {
  return new Set((await freshPages()).flatMap(seriesOn));
}

function seriesOn(page: string): readonly string[] {
  return [...page.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
  );
}

/** The rows of the tables of metrics, by name. */
function documentedMetrics(): ReadonlyMap<string, string> {
  const lines = ['docs/observability.md', 'docs/monitor.md'].flatMap((file) => read(file).split('\n'));
  return new Map(
    lines.flatMap((line) => {
      const name = /^\| `(chainwright_\w+)`/.exec(line)?.[1];
      return name === undefined ? [] : [[name, line] as const];
    }),
  );
}

function selectorsIn(expr: string): readonly Selector[] {
  const found: Selector[] = [];
  const text = (node: { readonly from: number; readonly to: number }): string =>
    expr.slice(node.from, node.to);
  parser.parse(expr).iterate({
    enter: ({ node, name }) => {
      if (name !== 'VectorSelector') return;
      const metric = node.getChild('Identifier');
      const matchers = node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
      const labels = matchers.map((matcher) => {
        const label = matcher.getChild('LabelName');
        const value = matcher.getChild('StringLiteral');
        return {
          name: label === null ? '' : text(label),
          values: value === null ? [] : text(value).slice(1, -1).split('|'),
        };
      });
      found.push({ metric: metric === null ? '' : text(metric), labels });
    },
  });
  return found;
}

/** Whether a page of metrics has the counter, with such labels, at 0. */
function startsAtZero(counter: string, lines: readonly string[]): boolean {
  const [, metric = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(counter) ?? [];
  return lines.some((line) => line.startsWith(`${metric}{`) && line.includes(labels) && line.endsWith(' 0'));
}

function faultsIn(expr: string): number {
  let faults = 0;
  parser.parse(expr).iterate({ enter: ({ type }) => void (faults += type.isError ? 1 : 0) });
  return faults;
}

describe('alert rules and dashboard', () => {
  it('are there', () => {
    expect(alerts.length).to.be.greaterThan(10);
    expect(drawn.length).to.be.greaterThan(20);
    expect(new Set(alerts.map(({ alert }) => alert)).size).to.equal(alerts.length);
    expect(faultsIn('rate(a[5m') + faultsIn('sum by job) (a)')).to.be.at.least(2);
  });

  for (const { name, expr } of expressions) {
    it(`ask Prometheus in its own language: ${name}: ${expr}`, () => {
      expect(faultsIn(expr)).to.equal(0);
      expect(selectorsIn(expr)).to.not.be.empty;
    });
  }

  it('name only series that our servers have', async () => {
    const series = await seriesInCode();
    const named = expressions.flatMap(({ expr }) => selectorsIn(expr)).map(({ metric }) => metric);
    expect(named.filter((metric) => !series.has(metric))).to.deep.equal([]);
  });

  it('have every metric of our servers to choose from in the docs', async () => {
    const documented = documentedMetrics();
    const own = [...(await seriesInCode())].filter((name) => name.startsWith('chainwright_'));
    const known = (name: string): boolean =>
      documented.has(name) || documented.has(name.replace(/_(?:bucket|sum|count)$/, ''));
    expect(own.filter((name) => !known(name))).to.deep.equal([]);
  });

  it('draw every metric that is documented, but for those that are left out for a reason', () => {
    const metrics = [...documentedMetrics().keys()];
    const shown = new Set(drawn.flatMap(({ expr }) => selectorsIn(expr)).map(({ metric }) => metric));
    const isDrawn = (metric: string): boolean =>
      ['', '_bucket', '_sum', '_count'].some((part) => shown.has(`${metric}${part}`));
    expect(metrics.length).to.be.greaterThan(40);
    const left = metrics.filter((metric) => !isDrawn(metric));
    expect(left).to.have.members(Object.keys(notDrawn));
  });

  it('ask for labels and values that are documented', () => {
    const documented = documentedMetrics();
    const unknown = expressions
      .flatMap(({ expr }) => selectorsIn(expr))
      .flatMap(({ metric, labels }) => {
        const row =
          documented.get(metric.replace(/_(?:bucket|sum|count)$/, '')) ?? documented.get(metric) ?? '';
        return labels
          .filter(({ name }) => name !== 'job')
          .flatMap(({ name, values }) => [name, ...values])
          .filter((word) => !row.includes(`\`${word}\``))
          .map((word) => `${metric}: ${word}`);
      });
    expect(unknown).to.deep.equal([]);
  });

  it('see a first count: of series that are there at 0 from the start, or by those that are new', async () => {
    const lines = (await freshPages()).join('\n').split('\n');
    const counts = alerts.flatMap(({ alert, expr }) => {
      const counter = /^increase\((.+)\[\w+\]\) > 0/.exec(expr)?.[1];
      return counter === undefined ? [] : [{ alert, counter, expr }];
    });
    expect(counts).to.have.lengthOf(4);
    for (const { alert, counter, expr } of counts) {
      const isSeenAnew = expr.endsWith(` or (${counter} unless ${counter} offset 1h) > 0`);
      expect(isSeenAnew || startsAtZero(counter, lines), alert).to.equal(true);
    }
    expect(startsAtZero('chainwright_monitor_alarms_total', lines)).to.equal(true);
    for (const kind of alarmKinds) {
      expect(lines).to.include(`chainwright_monitor_alarms_total{logmonitor="one",alarm="${kind}"} 0`);
    }
  });

  it('compare with nothing only what is there from the start', async () => {
    const lines = (await freshPages()).join('\n').split('\n');
    const still = alerts.flatMap(({ expr }) => /sum\(rate\((\S+)\[\w+\]\)\) == 0/.exec(expr)?.[1] ?? []);
    expect(still).to.deep.equal(['chainwright_runs_reconciled_total{outcome="signed"}']);
    for (const counter of still) expect(startsAtZero(counter, lines), counter).to.equal(true);
  });

  it('miss a server by a series that it alone has, from its start', async () => {
    const pages = await freshPages();
    const missed = alerts.flatMap(({ expr }) => /^absent\((\w+)/.exec(expr)?.[1] ?? []);
    expect(missed).to.have.lengthOf(3);
    const servers = missed.map((metric) =>
      pages.flatMap((page, index) => (new RegExp(`^${metric}[{ ]`, 'm').test(page) ? [index] : [])),
    );
    expect(servers).to.deep.equal([[0], [1], [2]]);
  });

  it('tell servers apart where more than one has the series', async () => {
    const pages = await freshPages();
    const isShared = (metric: string): boolean =>
      pages.filter((page) => seriesOn(page).includes(metric)).length > 1;
    const mixed = alerts
      .filter(({ expr }) => /\b(?:sum|max|min|count)\b/.test(expr) && !/by \((?:\w+, )*job\b/.test(expr))
      .filter(({ expr }) => selectorsIn(expr).some(({ metric }) => isShared(metric)));
    expect(mixed.map(({ alert }) => alert)).to.deep.equal([]);
    expect(isShared('chainwright_settings_in_force')).to.equal(true);
  });

  it('have a severity, a summary, and a remedy in docs/observability.md for each alert', () => {
    const remedies = read('docs/observability.md');
    for (const { alert, labels, annotations } of alerts) {
      expect(labels.severity, alert).to.be.oneOf(['warning', 'critical']);
      expect(annotations.summary.length, alert).to.be.greaterThan(20);
      expect(remedies, alert).to.match(new RegExp(`^\\| \`${alert}\``, 'm'));
    }
  });
});
