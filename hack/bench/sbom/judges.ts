import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { inCache } from '../../stack/paths.ts';
import { run } from '../../stack/process/run.ts';

/** What the independent judges say of one BOM. */
export interface Verdict {
  /** Per cent of the automatable controls of OWASP's component verification standard, all levels. */
  readonly scvs: number;
  /** Per cent of the EU Cyber Resilience Act checks. */
  readonly cra: number;
  readonly schemaValid: boolean;
  /** NTIA minimum elements. */
  readonly ntia: 'Pass' | 'Fail';
  /** Failed controls, with the judge's words. */
  readonly failures: readonly string[];
}

interface Report {
  readonly schemaValid: boolean;
  readonly benchmarks: readonly { readonly id: string; readonly scorePct: number }[];
  readonly findings: readonly {
    readonly ruleId: string;
    readonly status: string;
    readonly message: string;
  }[];
}

interface Audit {
  readonly summary: readonly { readonly text: string; readonly state: 'Pass' | 'Fail' }[];
}

const cdxgen = '@cyclonedx/cdxgen@12.8.4';
const auditors = ['sbomaudit==0.4.4', 'lib4sbom==0.10.4'];

/** Fetches the judges into the cache, outside the project's dependencies. */
export async function ensureJudges(): Promise<void> {
  await once('cdxgen', (folder) =>
    run('npm', [
      ...['install', '--prefix', folder, '--omit=optional', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error', cdxgen],
    ]),
  );
  await once('auditors', (folder) =>
    run('python3', ['-m', 'pip', '--quiet', 'install', '--target', folder, ...auditors]),
  );
}

/** Asks all judges about one BOM. `scratch` is a folder for their reports. */
export async function judge(bom: string, scratch: string): Promise<Verdict> {
  const report = await validate(bom, join(scratch, 'cdx.json'));
  const audit = await auditBom(bom, join(scratch, 'audit.json'));
  const score = (id: string): number => report.benchmarks.find((one) => one.id === id)?.scorePct ?? 0;
  return {
    scvs: score('scvs'),
    cra: score('cra'),
    schemaValid: report.schemaValid,
    ntia: audit.summary.find(({ text }) => text === 'NTIA Summary')?.state ?? 'Fail',
    failures: report.findings
      .filter(({ status }) => status === 'fail')
      .map(({ ruleId, message }) => `${ruleId}: ${message}`),
  };
}

async function validate(bom: string, file: string): Promise<Report> {
  const program = judgesFolder('cdxgen', 'node_modules/.bin/cdx-validate');
  // Its exit code tells of findings, which are read from the report.
  await run('sh', ['-c', '"$0" -i "$1" -r json -o "$2" || test -s "$2"', program, bom, file]);
  return JSON.parse(await readFile(file, 'utf8')) as Report;
}

async function auditBom(bom: string, file: string): Promise<Audit> {
  const program = judgesFolder('auditors', 'bin/sbomaudit');
  const env = { ...process.env, PYTHONPATH: judgesFolder('auditors') };
  await run('sh', ['-c', 'python3 "$0" --offline -i "$1" -o "$2" || test -s "$2"', program, bom, file], {
    env,
  });
  return JSON.parse(await readFile(file, 'utf8')) as Audit;
}

function judgesFolder(...parts: string[]): string {
  return inCache('sbom-judges', ...parts);
}

async function once(name: string, fetch: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = judgesFolder(name);
  if (existsSync(folder)) return;
  const unfinished = `${folder}-unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  await fetch(unfinished);
  await rename(unfinished, folder);
}
