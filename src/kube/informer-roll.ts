/** What is known of the informers of one resource. */
export interface InformerSighting {
  /** Lower-case plural, as in RBAC rules. */
  readonly resource: string;
  /** When the one that was silent longest last heard of the API server; before its first answer, when it began. */
  readonly heardAt: Date;
  /** Complete lists so far. */
  readonly lists: number;
}

/** One informer while it runs. */
export interface RunningInformer {
  readonly resource: string;
  readonly heardAtMs: () => number;
}

/** The informers that run on one client, for metrics. */
export class InformerRoll {
  readonly #running = new Set<RunningInformer>();
  /** One for each resource: there are as many as this project watches. */
  readonly #lists = new Map<string, number>();

  /** Notes an informer until what it gives is disposed of. */
  enter(informer: RunningInformer): Disposable {
    this.#running.add(informer);
    return { [Symbol.dispose]: () => void this.#running.delete(informer) };
  }

  /** Counts a complete list. */
  countList(resource: string): void {
    this.#lists.set(resource, (this.#lists.get(resource) ?? 0) + 1);
  }

  /** What is watched now, by resource. */
  sightings(): readonly InformerSighting[] {
    const byResource = Map.groupBy(this.#running, ({ resource }) => resource);
    return [...byResource].map(([resource, informers]) => ({
      resource,
      heardAt: new Date(Math.min(...informers.map(({ heardAtMs }) => heardAtMs()))),
      lists: this.#lists.get(resource) ?? 0,
    }));
  }
}
