import { combine, judgeFields } from './policy-narrowing.ts';
import type { FieldVerdict, NamedPolicy } from './policy-narrowing.ts';
import { fitsRepository, mayOverlap, selects } from './policy-selection.ts';
import type { RunFacts } from './policy-selection.ts';
import type { Settings } from './settings-schema.ts';
import type { SigningPolicySpec } from './signing-policy.ts';

/** What holds for one run: the settings of the cluster, narrowed by the policies that speak of the run. */
export interface EffectiveSettings {
  readonly settings: Settings;
  /** The policies that speak of the run, by name. */
  readonly policies: readonly string[];
  /** The policy that leaves the run unsigned, if one does. */
  readonly skippedBy?: string;
  /** The policy that wants a log where the cluster has none. */
  readonly logMissedBy?: string;
  /** The policy that does not allow images of that repository (`HOST/PATH`); undefined if all do. */
  readonly refusesRepository: (repository: string) => string | undefined;
  readonly retryBaseMs?: number;
}

type Chosen = ReadonlyMap<string, unknown>;
type RegistryItem = Settings['registries'][number];

/**
 * The settings for one run. Several policies count together: a switch is off if one has it off, a repository must be
 * allowed by all, the longest pause counts; where they disagree on anything else, the cluster's value holds. Pure, and
 * the same whatever the order of `policies`.
 */
export function effectiveSettings(
  cluster: Settings,
  policies: readonly NamedPolicy[],
  run: RunFacts,
): EffectiveSettings {
  const matching = policies
    .filter(({ namespace, spec }) => namespace === run.namespace && selects(spec.selector, run))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const verdicts = matching.map((policy) => judgeFields(policy, cluster));
  const chosen = choose(verdicts.flat());
  const skippedBy = matching.find((_, index) => verdicts[index]?.some(isSkip));
  const logMissedBy = cluster.log.enabled ? undefined : matching.find(({ spec }) => spec.logRequired);
  const retryBaseMs = chosen.get('retry.base') as number | undefined;
  return {
    settings: narrowed(cluster, chosen, run.namespace),
    policies: matching.map(({ name }) => name),
    ...(skippedBy === undefined ? {} : { skippedBy: skippedBy.name }),
    ...(logMissedBy === undefined ? {} : { logMissedBy: logMissedBy.name }),
    ...(retryBaseMs === undefined ? {} : { retryBaseMs }),
    refusesRepository: (repository) =>
      matching.find(
        ({ spec }) => spec.repositories?.some((pattern) => fitsRepository(pattern, repository)) === false,
      )?.name,
  };
}

function isSkip({ field, value, refusal }: FieldVerdict): boolean {
  return field === 'action' && value === false && refusal === undefined;
}

function choose(verdicts: readonly FieldVerdict[]): Chosen {
  const byField = Map.groupBy(verdicts, ({ field }) => field);
  const chosen = new Map<string, unknown>();
  for (const [field, asked] of byField) {
    const { value } = combine(asked);
    if (value !== undefined) chosen.set(field, value);
  }
  // One policy has the one layout off, another one the other: as with any other disagreement the cluster's value holds.
  if (chosen.get('layouts.tags') === false && chosen.get('layouts.referrers') === false) {
    chosen.delete('layouts.tags');
    chosen.delete('layouts.referrers');
  }
  return chosen;
}

function narrowed(cluster: Settings, chosen: Chosen, namespace: string): Settings {
  if (chosen.size === 0) return cluster;
  const or = <Value>(field: string, value: Value): Value => (chosen.get(field) ?? value) as Value;
  const { provenance, signature, log, storage, sbom } = cluster;
  const { tags, referrers } = storage.layouts;
  return {
    ...cluster,
    provenance: {
      ...provenance,
      enabled: or('provenance.enabled', provenance.enabled),
      format: or('provenance.format', provenance.format),
      builderId: or('provenance.builderId', provenance.builderId),
    },
    signature: { ...signature, enabled: or('signature.enabled', signature.enabled) },
    signer: signerOf(cluster, chosen.get('signer') as SigningPolicySpec['signer'], namespace),
    log: { ...log, url: or('log.url', log.url) },
    signingConfig: chosen.has('log.url') ? withoutLog(cluster.signingConfig) : cluster.signingConfig,
    storage: {
      ...storage,
      layouts: { tags: or('layouts.tags', tags), referrers: or('layouts.referrers', referrers) },
    },
    sbom: { ...sbom, enabled: or('sbom.enabled', sbom.enabled) },
    registries: registriesOf(cluster.registries, chosen, namespace),
  };
}

/** A log that a policy names is not one that a signing configuration chooses. */
function withoutLog(config: Settings['signingConfig']): Settings['signingConfig'] {
  return { ...config, services: config.services.filter((service) => service !== 'log') };
}

function signerOf(
  { signer }: Settings,
  asked: SigningPolicySpec['signer'],
  namespace: string,
): Settings['signer'] {
  if (asked?.serviceAccount !== undefined) {
    const fulcio = { ...signer.fulcio, serviceAccount: { namespace, name: asked.serviceAccount } };
    return { ...signer, type: 'keyless', fulcio };
  }
  if (asked?.keySecret === undefined) return signer;
  return { ...signer, type: 'key', key: { secret: { namespace, name: asked.keySecret } } };
}

function registriesOf(
  cluster: Settings['registries'],
  chosen: Chosen,
  namespace: string,
): Settings['registries'] {
  const asked = new Map<string, Partial<RegistryItem>>();
  for (const [field, value] of chosen) {
    const [, host, part] = /^registries\[(.+)\]\.(ca|credentials)$/.exec(field) ?? [];
    if (host === undefined || part === undefined) continue;
    asked.set(host, { ...asked.get(host), [part]: { ...(value as object), namespace } });
  }
  const known = new Map(cluster.map((item) => [item.host, item]));
  for (const [host, part] of asked) {
    const base = known.get(host) ?? { ...known.get('*'), host, insecure: known.get('*')?.insecure ?? false };
    known.set(host, { ...base, ...part });
  }
  return [...known.values()];
}

/** A field in which a policy disagrees with others that may speak of the same runs. */
export interface PolicyConflict {
  readonly field: string;
  /** Names of the other policies. */
  readonly others: readonly string[];
}

/** Where `policy` disagrees with `others` of its namespace, so that neither has its way. */
export function findConflicts(
  policy: NamedPolicy,
  others: readonly NamedPolicy[],
  cluster: Settings,
): readonly PolicyConflict[] {
  const rivals = others
    .filter(({ name, spec }) => name !== policy.name && mayOverlap(policy.spec.selector, spec.selector))
    .map((other) => ({ name: other.name, verdicts: judgeFields(other, cluster) }));
  const conflictsOf = (mine: FieldVerdict): PolicyConflict[] => {
    if (mine.refusal !== undefined) return [];
    const against = rivals.filter(({ verdicts }) => verdicts.some((theirs) => disagree(mine, theirs)));
    return against.length === 0 ? [] : [{ field: mine.field, others: against.map(({ name }) => name) }];
  };
  return judgeFields(policy, cluster).flatMap(conflictsOf);
}

const layoutFields = ['layouts.tags', 'layouts.referrers'];

function disagree(mine: FieldVerdict, theirs: FieldVerdict): boolean {
  if (theirs.refusal !== undefined) return false;
  if (mine.field === theirs.field) return combine([mine, theirs]).isConflict;
  // Each has another layout off, so that none would be left.
  const areBoth = layoutFields.includes(mine.field) && layoutFields.includes(theirs.field);
  return areBoth && mine.value === false && theirs.value === false;
}
