import { stringify } from 'yaml';
import { openPolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { exportToKyverno } from '../../policy/kyverno/image-validating-policy.ts';
import type { ExportedPolicy } from '../../policy/kyverno/image-validating-policy.ts';
import type { ExportOptions, ImageValidatingPolicy } from '../../policy/kyverno/kyverno-types.ts';
import { formatLimitation } from '../../policy/kyverno/limitation.ts';
import { exportUnmatched } from '../../policy/kyverno/unmatched-policy.ts';
import { compileClusterPolicy } from '../../policy/policy-compiler.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import { openReferences } from './open-references.ts';
import type { ReferencesOptions } from './open-references.ts';
import type { PolicySource } from './policy-sources.ts';

/** Policies for Kyverno: one of each ClusterImagePolicy, and the rule for images that none is about. */
export interface KyvernoExport {
  readonly exported: readonly ExportedPolicy[];
  readonly unmatched?: ImageValidatingPolicy;
}

/** Compiles policies and exports them. A policy that is broken is exported as one that denies. Throws what compiling throws in passing. */
export async function exportPolicies(
  { policies, broken = [], noMatch }: Omit<PolicySource, 'references'>,
  references: ReferencesOptions,
  options: ExportOptions,
): Promise<KyvernoExport> {
  const { closing, signal } = references;
  const engine = closing.use(openPolicyEngine({ clock: systemClock }));
  const parts = { engine, references: openReferences(references), signal };
  const compiled = await Promise.all(policies.map((policy) => compileClusterPolicy(policy, parts)));
  const all = [...compiled, ...broken];
  const unmatched = exportUnmatched(all, noMatch, options);
  return {
    exported: all.map((policy) => exportToKyverno(policy, options)),
    ...(unmatched === undefined ? {} : { unmatched }),
  };
}

/** The policies as YAML, each below its limitations. */
export function formatExportYaml({ exported, unmatched }: KyvernoExport): string {
  const documents = exported.map(({ policy, limitations }) => {
    const lines = limitations.map((limitation) => `#   ${oneLine(formatLimitation(limitation))}\n`);
    const heading = `# ${policy.metadata.name}: Kyverno admits no more than the ClusterImagePolicy, and less where\n`;
    return `${heading}${lines.join('')}${yamlOf(policy)}`;
  });
  return [...documents, ...(unmatched === undefined ? [] : [yamlOf(unmatched)])].join('---\n');
}

/** The policies as a List, as kubectl takes it. */
export function formatExportJson({ exported, unmatched }: KyvernoExport): string {
  const policies = exported.map(({ policy }) => policy);
  const items = unmatched === undefined ? policies : [...policies, unmatched];
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, undefined, 2)}\n`;
}

/** The limitations as lines, each with its policy. */
export function formatLimitations({ exported }: KyvernoExport): string {
  return exported
    .flatMap(({ policy, limitations }) =>
      limitations.map((one) => `${policy.metadata.name}: ${oneLine(formatLimitation(one))}\n`),
    )
    .join('');
}

function yamlOf(policy: ImageValidatingPolicy): string {
  return stringify(policy, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** No text of a policy ends a comment. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
