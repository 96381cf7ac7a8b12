import { isDeepStrictEqual } from 'node:util';
import type { Settings } from './settings-schema.ts';
import type { SigningPolicySpec } from './signing-policy.ts';

/** A SigningPolicy as the rules see it. */
export interface NamedPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly spec: SigningPolicySpec;
}

/** How several policies that speak of one run are brought together in one field. */
export type Combination =
  /** Off if one of them says off. */
  | 'least'
  /** The longest of them. */
  | 'longest'
  /** Only what all that say something agree on; else the cluster's value. */
  | 'agreed';

/** What a policy asks for in one field, and what becomes of it. */
export interface FieldVerdict {
  /** The field, below `spec` of the policy. */
  readonly field: string;
  readonly value: unknown;
  readonly combination: Combination;
  /** Why it has no effect; absent if it has. */
  readonly refusal?: string;
}

/** What `policy` may see granted: the grants of the cluster for its namespace, put together. */
interface Context {
  readonly cluster: Settings;
  readonly policy: NamedPolicy;
  readonly granted: Settings['policies']['grants'];
}

/** One line of the table of fields. */
interface FieldRule {
  readonly field: string;
  readonly combination: Combination;
  /** What the policy says; undefined: nothing. */
  readonly ask: (spec: SigningPolicySpec, namespace: string) => unknown;
  /** Why what it says would widen what the cluster allows; undefined if it does not. */
  readonly refuse: (value: unknown, context: Context) => string | undefined;
}

const switchedOff = 'the ChainwrightConfig has it switched off';

function onlyOff(isOn: (cluster: Settings) => boolean): FieldRule['refuse'] {
  return (value, { cluster }) => (value === true && !isOn(cluster) ? switchedOff : undefined);
}

/** The table: what narrows by itself, and what takes a grant (docs/settings.md has it in words). */
const rules: readonly FieldRule[] = [
  {
    field: 'action',
    combination: 'least',
    // As with switches: what signs less is `false`.
    ask: ({ action }) => (action === undefined ? undefined : action === 'Sign'),
    refuse: (value, { cluster }) =>
      value === false && cluster.policies.skip === 'refuse'
        ? 'the ChainwrightConfig wants every run signed (policies.skip)'
        : undefined,
  },
  {
    field: 'provenance.enabled',
    combination: 'least',
    ask: ({ provenance }) => provenance?.enabled,
    refuse: onlyOff(({ provenance }) => provenance.enabled),
  },
  {
    field: 'provenance.format',
    combination: 'agreed',
    ask: ({ provenance }) => provenance?.format,
    refuse: (value, { cluster, granted }) =>
      value === cluster.provenance.format || granted.some(({ formats }) => includes(formats, value))
        ? undefined
        : 'no grant lists this format (policies.grants[].formats)',
  },
  {
    field: 'provenance.builderId',
    combination: 'agreed',
    ask: ({ provenance }) => provenance?.builderId,
    refuse: (value, { cluster, policy, granted }) =>
      value === cluster.provenance.builderId ||
      granted.some(({ builderIds }) =>
        includes(
          builderIds.map((id) => inNamespace(id, policy)),
          value,
        ),
      )
        ? undefined
        : 'no grant lists this builder id (policies.grants[].builderIds)',
  },
  {
    field: 'signature.enabled',
    combination: 'least',
    ask: ({ signature }) => signature?.enabled,
    refuse: onlyOff(({ signature }) => signature.enabled),
  },
  {
    field: 'signer',
    combination: 'agreed',
    ask: ({ signer }) => signer,
    refuse: (value, { cluster, granted }) => {
      if (cluster.signer.type === 'none') return switchedOff;
      const kind =
        (value as NonNullable<SigningPolicySpec['signer']>).keySecret === undefined
          ? 'serviceAccount'
          : 'keySecret';
      return granted.some(({ signers }) => signers.includes(kind))
        ? undefined
        : `no grant lists ${kind} (policies.grants[].signers)`;
    },
  },
  {
    field: 'log.url',
    combination: 'agreed',
    ask: ({ log }) => log?.url,
    refuse: (value, { cluster, granted }) => {
      if (!cluster.log.enabled) return switchedOff;
      const { file, services } = cluster.signingConfig;
      const isNamed = file === undefined || !services.includes('log');
      return (isNamed && value === cluster.log.url) || granted.some(({ logs }) => includes(logs, value))
        ? undefined
        : 'no grant lists this log (policies.grants[].logs)';
    },
  },
  {
    field: 'layouts.tags',
    combination: 'least',
    ask: ({ layouts }) => layouts?.tags,
    refuse: (value, context) =>
      onlyOff(({ storage }) => storage.layouts.tags)(value, context) ??
      (value === false && !context.cluster.storage.layouts.referrers ? nothingLeft : undefined),
  },
  {
    field: 'layouts.referrers',
    combination: 'least',
    ask: ({ layouts }) => layouts?.referrers,
    refuse: (value, context) =>
      onlyOff(({ storage }) => storage.layouts.referrers)(value, context) ??
      (value === false && !context.cluster.storage.layouts.tags ? nothingLeft : undefined),
  },
  {
    field: 'sbom.enabled',
    combination: 'least',
    ask: ({ sbom }) => sbom?.enabled,
    refuse: onlyOff(({ sbom }) => sbom.enabled),
  },
  {
    field: 'retry.base',
    combination: 'longest',
    ask: ({ retry }) => retry?.base,
    refuse: (value, { cluster }) =>
      Number(value) < cluster.controller.retry.baseMs
        ? `it is shorter than that of the ChainwrightConfig, ${cluster.controller.retry.baseMs} ms`
        : undefined,
  },
];

const nothingLeft = 'the ChainwrightConfig has the other layout switched off, so none would be left';

function includes(list: readonly unknown[], value: unknown): boolean {
  return list.includes(value);
}

function inNamespace(text: string, { namespace }: NamedPolicy): string {
  return text.replaceAll('{namespace}', namespace);
}

function grantsFor(cluster: Settings, namespace: string): Settings['policies']['grants'] {
  return cluster.policies.grants.filter(({ namespaces }) =>
    namespaces.some((pattern) =>
      pattern.endsWith('*') ? namespace.startsWith(pattern.slice(0, -1)) : namespace === pattern,
    ),
  );
}

/**
 * What becomes of each field that the policy sets, apart from `selector`, `repositories` and `logRequired`, which can only
 * narrow. A refused field has no effect; the others have: what is left is never wider than the policy's author or
 * the cluster wants. Pure.
 */
export function judgeFields(policy: NamedPolicy, cluster: Settings): readonly FieldVerdict[] {
  const context: Context = { cluster, policy, granted: grantsFor(cluster, policy.namespace) };
  const judged = rules.flatMap(({ field, combination, ask, refuse }): FieldVerdict[] => {
    const value = ask(policy.spec, policy.namespace);
    if (value === undefined) return [];
    return [verdictOf({ field, value, combination }, refuse(value, context))];
  });
  return [...judged, ...judgeRegistries(context)];
}

function judgeRegistries({ policy, granted }: Context): readonly FieldVerdict[] {
  return (policy.spec.registries ?? []).flatMap(({ host, ca, credentials }): FieldVerdict[] => {
    const of = (part: string, value: unknown, refusal?: string): FieldVerdict[] =>
      value === undefined
        ? []
        : [verdictOf({ field: `registries[${host}].${part}`, value, combination: 'agreed' }, refusal)];
    const isGranted = granted.some(({ registryHosts }) => includes(registryHosts, host));
    return [
      ...of('credentials', credentials),
      ...of('ca', ca, isGranted ? undefined : 'no grant lists this host (policies.grants[].registryHosts)'),
    ];
  });
}

function verdictOf(verdict: FieldVerdict, refusal: string | undefined): FieldVerdict {
  return refusal === undefined ? verdict : { ...verdict, refusal };
}

/** What the policies together say of a field; `isConflict`: they disagree, so that the cluster's value holds. */
export function combine(verdicts: readonly FieldVerdict[]): {
  readonly value: unknown;
  readonly isConflict: boolean;
} {
  const values = verdicts.filter(({ refusal }) => refusal === undefined).map(({ value }) => value);
  const [first] = values;
  switch (verdicts[0]?.combination) {
    case 'least':
      return { value: values.includes(false) ? false : first, isConflict: false };
    case 'longest':
      return { value: values.length === 0 ? undefined : Math.max(...values.map(Number)), isConflict: false };
    case 'agreed':
    case undefined: {
      const isConflict = values.some((value) => !isDeepStrictEqual(value, first));
      return { value: isConflict ? undefined : first, isConflict };
    }
  }
}
