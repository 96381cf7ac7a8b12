import { join, resolve } from 'node:path';
import { kubectl } from '../../hack/stack/stack.ts';
import type { KubeObject } from './kube-api.ts';

/** A result of a policy report, as policy-reporter reads it. */
export interface ReportedResult {
  readonly source: string;
  readonly policy: string;
  readonly rule: string;
  readonly result: string;
  readonly severity: string;
  readonly category: string;
  readonly message: string;
  readonly scored: boolean;
  readonly properties: Readonly<Record<string, string>>;
  readonly timestamp: { readonly seconds: number; readonly nanos: number };
}

/** A PolicyReport or Report. */
export interface Report extends KubeObject {
  readonly scope: { readonly kind: string; readonly name: string; readonly uid: string };
  readonly summary: Readonly<Record<'pass' | 'fail' | 'warn' | 'error' | 'skip', number>>;
  readonly results: readonly ReportedResult[];
}

/** Kinds of policy reports. */
export type ReportKind = 'policyreports' | 'reports';

const folder = resolve(import.meta.dirname, '../fixtures/reports');

/** Path of the reports of a namespace. */
export function reportsPath(kind: ReportKind, namespace: string): string {
  const group = kind === 'policyreports' ? 'wgpolicyk8s.io/v1alpha2' : 'openreports.io/v1alpha1';
  return `/apis/${group}/namespaces/${namespace}/${kind}`;
}

/** Installs the CRD of a kind of reports, unless it is there. */
export async function installReports(kind: ReportKind): Promise<void> {
  const file = join(folder, `${kind}.yaml`);
  await kubectl(['apply', '--server-side', '-f', file]);
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', '-f', file]);
}

/** Removes the CRD of a kind of reports, and all of them. */
export async function removeReports(kind: ReportKind): Promise<void> {
  await kubectl(['delete', '--ignore-not-found', '-f', join(folder, `${kind}.yaml`)]);
}
