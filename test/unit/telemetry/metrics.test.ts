import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { register } from 'prom-client';
import { createAdmissionMetrics } from '../../../src/telemetry/admission-metrics.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const linesOf = async (page: { render(): Promise<string> }): Promise<readonly string[]> =>
  (await page.render()).split('\n');

const pairs = (matches: RegExpExecArray[]): string[] => matches.map(([, name, type]) => `${name} ${type}`);

const noScan = { pods: [], workloads: 0, skippedPods: 0, buckets: 0, oldestVerdictSeconds: 0 };

describe('telemetry: metrics', () => {
  it('counts what is reported, by label', async () => {
    const metrics = createMetrics({ version: '1.2.3' });
    metrics.runReconciled('signed');
    metrics.runReconciled('signed');
    metrics.artifactSigned('provenance');
    metrics.logEntryAppended('sbom');
    metrics.pushed('tag', 'signature');
    metrics.certificateUsed('reused');
    metrics.keyRetried();
    metrics.runSigned(0.3);
    metrics.stageTook('push', 0.02);
    expect(await linesOf(metrics)).to.include.members([
      'chainwright_build_info{version="1.2.3"} 1',
      'chainwright_runs_reconciled_total{outcome="signed"} 2',
      'chainwright_artifacts_signed_total{kind="provenance"} 1',
      'chainwright_log_entries_total{kind="sbom"} 1',
      'chainwright_pushes_total{layout="tag",kind="signature"} 1',
      'chainwright_certificate_uses_total{source="reused"} 1',
      'chainwright_queue_retries_total 1',
      'chainwright_run_signing_latency_seconds_sum 0.3',
      'chainwright_stage_duration_seconds_count{stage="push"} 1',
    ]);
  });

  it('has each outcome of a run at 0 from the start, so that the first one is an increase', async () => {
    const lines = await linesOf(createMetrics({ version: '0' }));
    for (const outcome of ['signed', 'nothing-to-sign', 'skipped', 'retried', 'failed']) {
      expect(lines).to.include(`chainwright_runs_reconciled_total{outcome="${outcome}"} 0`);
    }
  });

  it('reads the queue at each scrape', async () => {
    const metrics = createMetrics({ version: '0' });
    let waiting = 1;
    metrics.watchQueue(() => ({ waiting, inWork: 2, oldestAgeSeconds: 3.5 }));
    expect(await linesOf(metrics)).to.include('chainwright_queue_depth 1');
    waiting = 7;
    expect(await linesOf(metrics)).to.include.members([
      'chainwright_queue_depth 7',
      'chainwright_queue_in_work 2',
      'chainwright_queue_oldest_age_seconds 3.5',
    ]);
  });

  it('reads the informers at each scrape, and drops what is watched no more', async () => {
    const metrics = createMetrics({ version: '0' });
    const heardAt = new Date(1_700_000_000_500);
    let states = ['taskruns', 'signingrecords'].map((resource) => ({ resource, heardAt, lists: 2 }));
    metrics.watchInformers(() => states);
    await metrics.render();
    states = [{ resource: 'taskruns', heardAt: new Date(1_700_000_060_500), lists: 3 }];
    const lines = await linesOf(metrics);
    expect(lines.filter((line) => line.startsWith('chainwright_informer_'))).to.deep.equal([
      'chainwright_informer_last_sync_timestamp_seconds{resource="taskruns"} 1700000060.5',
      'chainwright_informer_relists_total{resource="taskruns"} 3',
    ]);
  });

  it('counts faults by code, and keeps the number of codes bounded', async () => {
    const metrics = createMetrics({ version: '0' });
    metrics.faultOccurred('ERR_REKOR_AWAY', 'passing');
    metrics.faultOccurred('harbor.example: no such host', 'permanent');
    for (let index = 0; index < 500; index += 1) metrics.faultOccurred(`ERR_X_${index}`, 'bug');
    metrics.faultOccurred('ERR_REKOR_AWAY', 'passing');
    const lines = (await linesOf(metrics)).filter((line) => line.startsWith('chainwright_faults_total{'));
    expect(lines).to.include('chainwright_faults_total{code="ERR_REKOR_AWAY",kind="passing"} 2');
    expect(lines).to.include('chainwright_faults_total{code="other",kind="permanent"} 1');
    expect(lines).to.have.lengthOf.below(210);
  });

  it('leaves the global registry alone, and two of them do not meet', async () => {
    createMetrics({ version: '0' }).runReconciled('failed');
    const page = await createMetrics({ version: '0' }).render();
    expect(page).to.include('chainwright_runs_reconciled_total{outcome="failed"} 0');
    expect(page).to.include('process_cpu_seconds_total');
    expect(register.getMetricsAsArray()).to.deep.equal([]);
  });

  it('counts what became of the lines for Graylog, as read at each scrape', async () => {
    const metrics = createMetrics({ version: '0' });
    let counts = { sent: 1, dropped: 0, waiting: 4 };
    metrics.watchGelf(() => counts);
    await metrics.render();
    counts = { sent: 5, dropped: 2, waiting: 0 };
    expect(await linesOf(metrics)).to.include.members([
      'chainwright_gelf_messages_total{result="sent"} 5',
      'chainwright_gelf_messages_total{result="dropped"} 2',
      'chainwright_gelf_queue_depth 0',
    ]);
  });

  it('counts running Pods by policy and verdict, as read at each scrape', async () => {
    const metrics = createAdmissionMetrics({ version: '0' });
    let pods = 3;
    metrics.watchScan(() => ({ ...noScan, pods: [{ policy: 'p', outcome: 'denied', pods }] }));
    await metrics.render();
    pods = 2;
    expect(await linesOf(metrics)).to.include('chainwright_scan_pods{policy="p",verdict="denied"} 2');
  });

  it('is documented, each metric by its name, in docs/observability.md', async () => {
    const pages = [createMetrics({ version: '0' }), createAdmissionMetrics({ version: '0' })];
    const served: string[] = [];
    for (const page of pages) {
      page.watchQueue(() => ({ waiting: 0, inWork: 0, oldestAgeSeconds: 0 }));
      page.watchGelf(() => ({ sent: 0, dropped: 0, waiting: 0 }));
      page.watchInformers(() => []);
      if ('policiesInForce' in page) page.policiesInForce(() => 0);
      if ('watchShares' in page) {
        page.watchShares(() => ({ held: 8, replicas: 1 }));
        page.watchBacklog(() => ({ runs: 0, oldestAgeSeconds: 0 }));
      }
      if ('watchScan' in page) page.watchScan(() => noScan);
      served.push(...pairs([...(await page.render()).matchAll(/^# TYPE (chainwright_\w+) (\w+)$/gm)]));
    }
    const text = await readFile(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
    const documented = [...text.matchAll(/^\| `(chainwright_\w+)`\s*\| (\w+)/gm)];
    expect(pairs(documented)).to.have.members([...new Set(served)]);
  });
});
