import { isDeepStrictEqual } from 'node:util';
import { ImageJudging } from '../../admission/image-judging.ts';
import type { ImageStores } from '../../admission/image-stores.ts';
import { MediaTypes } from '../../admission/media-types.ts';
import { TagResolver } from '../../admission/tag-resolver.ts';
import { VerdictCache } from '../../admission/verdict-cache.ts';
import type { Clock } from '../../model/clock.ts';
import type { ExceptionRegister } from '../../policy/exception-register.ts';
import type { LogSearch } from '../../policy/log-search.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { AdmissionMetrics } from '../../telemetry/admission-metrics.ts';
import type { LiveSettings } from './live-settings.ts';

/** What judging images is made of. */
export interface JudgingWiring {
  readonly live: LiveSettings;
  readonly stores: ImageStores;
  readonly exceptions: ExceptionRegister;
  readonly searchLog: LogSearch;
  readonly metrics: Pick<AdmissionMetrics, 'cacheAsked'>;
  readonly clock: Clock;
}

/** The judging by the settings of one time. */
interface OpenJudging {
  readonly judging: ImageJudging;
  readonly tags: TagResolver;
}

/**
 * The one judging of the process, for the door and for the scan: what one finds out the other needs not ask again. Changed
 * settings begin with nothing remembered.
 */
export class LiveJudging {
  #current: OpenJudging;

  constructor(wiring: JudgingWiring) {
    let settings = wiring.live.current;
    this.#current = openJudging(wiring, settings);
    wiring.live.onChange((changed) => {
      if (!isDeepStrictEqual(partsOf(changed), partsOf(settings))) {
        this.#current = openJudging(wiring, changed);
      }
      settings = changed;
    });
  }

  get current(): OpenJudging {
    return this.#current;
  }
}

function partsOf({ webhook, scan }: Settings): unknown {
  return [webhook, scan.intervalMs];
}

function openJudging(
  { stores, exceptions, searchLog, metrics, clock }: JudgingWiring,
  settings: Settings,
): OpenJudging {
  const { resolveTags, cache } = settings.webhook;
  const tags = new TagResolver({ clock, metrics });
  const verdicts = new VerdictCache({ ...cache, keptForMs: settings.scan.intervalMs, clock, metrics });
  const mediaTypes = new MediaTypes();
  const judging = new ImageJudging({
    ...{ stores, verdicts, tags, exceptions, searchLog, clock, resolveTags, mediaTypes },
  });
  return { judging, tags };
}
