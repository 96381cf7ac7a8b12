import { KubeClient } from '../../kube/kube-client.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { PolicySource } from '../policy/policy-sources.ts';
import { openCluster } from '../wiring/cluster.ts';
import { readPolicies } from '../wiring/cluster-references.ts';
import type { ClusterPoliciesOptions } from '../wiring/cluster-references.ts';
import { readJudgingSettings } from '../wiring/judging-settings.ts';
import { readSettings } from '../wiring/settings.ts';

/** What the command line says, besides where the cluster is. */
export interface ClusterExplaining extends ClusterPoliciesOptions {
  /** Files that take the place of what the cluster's settings say. */
  readonly config: string | undefined;
  readonly trustedRoot: string | undefined;
}

/** What a cluster judges by. */
export interface ExplainingSource {
  readonly source: PolicySource;
  readonly settings: Settings;
}

/** As {@link readClusterSource}, from the cluster that {@link openCluster} chooses. */
export async function openClusterSource(options: ClusterExplaining): Promise<ExplainingSource> {
  const { environment, signal, closing } = options;
  const access = await openCluster(environment, systemClock, { signal });
  const client = closing.use(new KubeClient({ access, clock: systemClock }));
  return readClusterSource(client, options);
}

/** The policies of a cluster, and whom its settings trust. Throws ERR_POLICY_CRD, ERR_SETTINGS_*, ERR_KUBE_*. */
export async function readClusterSource(
  client: Pick<KubeClient, 'list' | 'get'>,
  { environment, namespace, config, trustedRoot, signal }: Omit<ClusterExplaining, 'closing'>,
): Promise<ExplainingSource> {
  const given = { configFile: config, environment };
  // With a trust root from the command line nobody needs the right to read the cluster's settings.
  const reading =
    trustedRoot === undefined
      ? readJudgingSettings(given, client, signal)
      : readSettings(given).then(({ settings }) => settings);
  const [source, settings] = await Promise.all([readPolicies(client, { namespace, signal }), reading]);
  return { source, settings };
}
