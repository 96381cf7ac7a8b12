import { ImageJudging } from '../../../admission/image-judging.ts';
import { MediaTypes } from '../../../admission/media-types.ts';
import { TagResolver } from '../../../admission/tag-resolver.ts';
import { VerdictCache } from '../../../admission/verdict-cache.ts';
import type { KubeClient } from '../../../kube/kube-client.ts';
import { PullSecretSource } from '../../../kube/pull-secrets.ts';
import { silentLog } from '../../../model/log.ts';
import type { ExceptionRegister } from '../../../policy/exception-register.ts';
import { openLogSearch } from '../../../policy/log-search.ts';
import type { JudgeRunning } from '../../../reconcilers/scan/scan-verdict.ts';
import type { Settings } from '../../../settings/settings-schema.ts';
import { systemClock } from '../../../telemetry/system-clock.ts';
import { openWorkloadStores } from '../../webhook/workload-stores.ts';
import { createRegistries } from '../../wiring/attestation.ts';
import type { Environment } from '../../wiring/cluster.ts';
import type { Dispatchers } from '../../wiring/dispatchers.ts';
import { userCredentials } from '../../wiring/run-credentials.ts';

/** What judging what runs is made from. */
export interface ImpactJudgingParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly client: Pick<KubeClient, 'get'>;
  readonly dispatchers: Dispatchers;
  readonly exceptions: Pick<ExceptionRegister, 'of'>;
}

// One command's run: nothing that it found out grows old meanwhile.
const keptMs = 3_600_000;
const entries = 20_000;
const notCounted = { cacheAsked: () => undefined };

/**
 * The webhook's own judging, with the workloads' pull secrets and then the user's credentials. `requests` tells how often
 * registries were asked so far.
 */
export function openImpactJudging(parts: ImpactJudgingParts): {
  readonly judge: JudgeRunning;
  readonly requests: () => number;
} {
  const { settings, environment, client, dispatchers, exceptions } = parts;
  let requests = 0;
  const onAnswer = (): void => {
    requests += 1;
  };
  const stores = openWorkloadStores({
    registries: createRegistries(settings, dispatchers, systemClock, { onAnswer }),
    pullSecrets: new PullSecretSource({ client }),
    ownCredentials: userCredentials(environment),
    metrics: notCounted,
    log: silentLog,
  });
  const shared = { clock: systemClock, metrics: notCounted };
  const judging = new ImageJudging({
    ...{ stores, exceptions, clock: systemClock, resolveTags: settings.webhook.resolveTags },
    verdicts: new VerdictCache({ ...shared, entries, admittedForMs: keptMs, deniedForMs: keptMs }),
    tags: new TagResolver(shared),
    mediaTypes: new MediaTypes(),
    searchLog: openLogSearch({ dispatcherFor: (host) => dispatchers.for(host), clock: systemClock }),
  });
  return {
    judge: ({ image, paths, ...asked }) => judging.judge({ image, paths }, asked),
    requests: () => requests,
  };
}
