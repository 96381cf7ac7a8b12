import type { ExportOptions, KyvernoTuf } from '../../policy/kyverno/kyverno-types.ts';
import type { LabelSelector } from '../../policy/policy-schema.ts';
import type { Settings } from '../../settings/settings-schema.ts';

/** How policies are exported to Kyverno, by the settings. */
export function kyvernoOptionsOf({ kyverno, webhook, exceptions }: Settings): Omit<ExportOptions, 'version'> {
  const { namespaceSelector, tuf } = kyverno;
  return {
    namespaceSelector: { matchExpressions: namespaceSelector.map(toCondition) },
    unchangedImages: webhook.unchangedImages,
    exceptions: exceptions.enabled && exceptions.namespaces.length > 0 ? 'honoured' : 'off',
    ...(tuf === undefined ? {} : { tuf: tufOf(tuf) }),
  };
}

function tufOf({ mirror, root }: NonNullable<Settings['kyverno']['tuf']>): KyvernoTuf {
  return { mirror, ...(root === undefined ? {} : { root: { data: root } }) };
}

type Condition = NonNullable<LabelSelector['matchExpressions']>[number];

function toCondition({ key, operator, values }: Settings['kyverno']['namespaceSelector'][number]): Condition {
  return { key, operator, ...(values === undefined ? {} : { values: [...values] }) };
}
