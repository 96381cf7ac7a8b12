import type { KubeClient } from '../../kube/kube-client.ts';
import { resourceTypes } from '../../kube/resource-type.ts';
import type { ResourceType } from '../../kube/resource-type.ts';
import type { Clock } from '../../model/clock.ts';
import { isAppError, messageOf } from '../../model/errors.ts';
import type { Log } from '../../model/log.ts';

/** What finding the kinds of reports takes. */
export interface ReportKindsParts {
  readonly client: Pick<KubeClient, 'listPages'>;
  /** API groups that reports are wanted in. */
  readonly groups: readonly string[];
  /** A namespace that exists: our own. */
  readonly namespace: string;
  /** A kind has come: there are no reports of it yet. */
  readonly onInstalled: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

const known = [resourceTypes.policyReports, resourceTypes.openReports];
const lookMs = 60_000;
// No answer says nothing: reports that are wanted must not wait a minute for a second try.
const askAgainMs = 3000;

/** Which kinds of policy reports the cluster has: looked for again and again, since CRDs come and go. */
export class ReportKinds {
  readonly #parts: ReportKindsParts;
  readonly #installed = new Set<ResourceType>();

  constructor(parts: ReportKindsParts) {
    this.#parts = parts;
  }

  /** The kinds to be written. */
  installed(): readonly ResourceType[] {
    return [...this.#installed];
  }

  /** Kinds of which no reports are wanted. */
  unwanted(): readonly ResourceType[] {
    return known.filter(({ group }) => !this.#parts.groups.includes(group));
  }

  /** Looks once; gives false if of some kind it could not be told. */
  async look(signal: AbortSignal): Promise<boolean> {
    const { groups, onInstalled, log } = this.#parts;
    let isKnown = true;
    for (const type of known.filter(({ group }) => groups.includes(group))) {
      const isThere = await this.#has(type, signal);
      if (isThere === undefined) isKnown = false;
      if (isThere === undefined || isThere === this.#installed.has(type)) continue;
      if (isThere) this.#installed.add(type);
      else this.#installed.delete(type);
      log.info(isThere ? 'policy reports are written' : 'policy reports are written no more', {
        resource: `${type.plural}.${type.group}`,
      });
      if (isThere) onInstalled();
    }
    return isKnown;
  }

  /** Looks until `signal` aborts. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      const isKnown = await this.look(signal).catch(() => false);
      await this.#parts.clock.sleep(isKnown ? lookMs : askAgainMs, signal).catch(() => undefined);
    }
  }

  /** Undefined where the API server gave no answer that tells. */
  async #has(type: ResourceType, signal: AbortSignal): Promise<boolean | undefined> {
    const { client, namespace, log } = this.#parts;
    try {
      await client.listPages(type, { namespace, signal }).next();
      return true;
    } catch (error) {
      const code = isAppError(error) ? error.code : undefined;
      if (code === 'ERR_KUBE_NOT_FOUND') return false;
      if (signal.aborted) return undefined;
      log.warn('it could not be found out whether the cluster has policy reports', {
        code,
        error: messageOf(error),
      });
      return undefined;
    }
  }
}
