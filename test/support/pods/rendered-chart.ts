import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { Stack } from '../../../hack/stack/stack.ts';
import { checkout } from '../chainwright-process.ts';

/** A rendered object, as far as the tests look into it. */
export interface ChartObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** What helm said. */
export interface HelmOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Folder of a chart. */
export function chartFolder(name: string): string {
  return join(checkout, 'charts', name);
}

/** Runs helm, with `values` as its values file on standard input. */
export async function helm(stack: Stack, args: readonly string[], values: object = {}): Promise<HelmOutcome> {
  const { PATH = '' } = process.env;
  const child = spawn(join(stack.bin, 'helm'), [...args, '--values', '-'], {
    env: { PATH, HOME: '/nonexistent' },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  child.stdin.on('error', () => undefined).end(JSON.stringify(values));
  const code = await new Promise<number | null>((settle, reject) => {
    child.once('error', reject).once('close', settle);
  });
  return { code, stdout, stderr };
}

/** The objects of a chart under these values, as `helm install rekor` would send them. Throws with helm's own words. */
export async function renderChart(
  stack: Stack,
  {
    chart,
    namespace,
    values,
  }: { readonly chart: string; readonly namespace: string; readonly values: object },
): Promise<readonly ChartObject[]> {
  const target = ['--namespace', namespace, '--kube-version', '1.36.3'];
  const { code, stdout, stderr } = await helm(
    stack,
    ['template', 'rekor', chartFolder(chart), ...target],
    values,
  );
  if (code !== 0) throw new Error(stderr);
  return objectsIn(stdout);
}

/** The objects of a stream of YAML documents. */
export function objectsIn(text: string): readonly ChartObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as ChartObject | null)
    .filter((object) => object !== null);
}
