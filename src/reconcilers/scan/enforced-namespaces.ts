import { isRecord } from '../../kube/kube-object.ts';
import { objectIn } from '../../model/json-object.ts';
import type { JsonObject } from '../../model/json-object.ts';
import { matchesLabels } from '../../policy/policy-matching.ts';
import type { LabelSelector } from '../../policy/policy-schema.ts';

/** As config/webhook has it: counts as long as there is no configuration, so that what it will keep out is known before. */
const usualSelectors: readonly LabelSelector[] = [
  { matchLabels: { 'sigstore-policy': 'enforce' } },
  { matchLabels: { 'policy.sigstore.dev/include': 'true' } },
];

/**
 * The namespace selectors of the webhooks that are asked about Pods, in a ValidatingWebhookConfiguration; those of
 * config/webhook if there is none.
 */
export function enforcedSelectors(configuration: JsonObject | undefined): readonly LabelSelector[] {
  if (configuration === undefined) return usualSelectors;
  const list = configuration['webhooks'];
  const webhooks = Array.isArray(list) ? list.map(objectIn) : [];
  const aboutPods = webhooks.filter(({ rules }) => namesPods(rules));
  return aboutPods.map(({ namespaceSelector }) => objectIn(namespaceSelector) as LabelSelector);
}

/** True if one of the selectors matches the labels. */
export function isSelected(
  selectors: readonly LabelSelector[],
  labels: Readonly<Record<string, string>> = {},
): boolean {
  return selectors.some((selector) => matchesLabels(selector, labels));
}

function namesPods(rules: unknown): boolean {
  const list = Array.isArray(rules) ? rules.filter(isRecord) : [];
  return list.some(({ resources }) => Array.isArray(resources) && resources.includes('pods'));
}
