import { findCondition } from '../../../kube/conditions.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { formatObjectRef, resourceTypes } from '../../../kube/resource-type.ts';
import type { ResolvedSettings } from '../../../settings/resolution.ts';
import { readSettingsObject } from '../../settings/cluster-settings.ts';
import { fieldOf, listObjects } from '../cluster-objects.ts';
import type { Check } from '../examination.ts';
import type { Discovery } from '../finding-table.ts';

const users = [
  { type: 'Ready', who: 'the controller' },
  { type: 'WebhookReady', who: 'the webhook' },
];

/** Settings: usable, in force as they are now, and nothing in them without effect. */
export const settingsCheck: Check = {
  name: 'settings',
  needs: 'cluster',
  look: async (parts, { resolved, fault }) => {
    const object = parts.configFile === undefined ? await readSettingsObject(parts) : undefined;
    const policies = await listObjects(parts, resourceTypes.signingPolicies);
    return [
      ...(fault === undefined
        ? []
        : [{ id: 'settings-invalid', object: 'settings', message: fault.message } as const]),
      ...(resolved === undefined ? [] : oddities(resolved)),
      ...(object === undefined ? [] : users.flatMap(({ type, who }) => standing(object, type, who))),
      ...policies.flatMap(refusal),
    ];
  },
};

function oddities({ settings, chainsKeys }: ResolvedSettings): readonly Discovery[] {
  return [
    ...(settings.signer.type === 'none'
      ? [{ id: 'signing-off', object: 'settings', message: 'signer.type is none' } as const]
      : []),
    ...chainsKeys
      .filter(({ verdict }) => verdict === 'ignored')
      .map(({ key, message = 'has no effect' }) => ({
        id: 'settings-key-ignored' as const,
        object: 'ConfigMap chains-config',
        message: `${key} ${message}`,
      })),
  ];
}

function standing(config: KubeObject, type: string, who: string): readonly Discovery[] {
  const condition = findCondition(config, type);
  const generation = config.metadata['generation'];
  const seen = fieldOf(condition, 'observedGeneration');
  const object = `ChainwrightConfig ${config.metadata.name}`;
  const id = 'settings-not-in-force';
  if (condition === undefined) return [{ id, object, message: `${who} says nothing about it (${type})` }];
  if (condition.status !== 'True') return [{ id, object, message: `${who}: ${condition.message}` }];
  return seen === generation ? [] : [{ id, object, message: `${who} has not seen its last change` }];
}

function refusal(policy: KubeObject): readonly Discovery[] {
  const condition = findCondition(policy, 'Ready');
  if (condition?.status !== 'False') return [];
  const object = `SigningPolicy ${formatObjectRef(policy.metadata)}`;
  return [{ id: 'signing-policy-refused', object, message: condition.message }];
}
