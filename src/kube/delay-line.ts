interface Slot {
  readonly key: string;
  readonly dueAtMs: number;
}

/**
 * Keys that wait for their time: a binary heap by due time in which each key counts once, with its earliest time.
 * Superseded slots stay in the heap until they come up, so it is rebuilt when they outnumber the live ones.
 */
export class DelayLine {
  readonly #dueAtMs = new Map<string, number>();
  #heap: Slot[] = [];

  /** Keys that wait. */
  get size(): number {
    return this.#dueAtMs.size;
  }

  has(key: string): boolean {
    return this.#dueAtMs.has(key);
  }

  /** Makes `key` due at `dueAtMs`, unless it is due earlier anyway. */
  add(key: string, dueAtMs: number): void {
    const known = this.#dueAtMs.get(key);
    if (known !== undefined && known <= dueAtMs) return;
    this.#dueAtMs.set(key, dueAtMs);
    this.#push({ key, dueAtMs });
    if (this.#heap.length > 2 * this.#dueAtMs.size + 16) this.#rebuild();
  }

  remove(key: string): void {
    this.#dueAtMs.delete(key);
  }

  /** The earliest due time, undefined if nothing waits. */
  nextDueAtMs(): number | undefined {
    this.#dropDead();
    return this.#heap[0]?.dueAtMs;
  }

  /** Takes out the earliest key if it is due at `nowMs`. */
  takeDue(nowMs: number): string | undefined {
    this.#dropDead();
    const top = this.#heap[0];
    if (top === undefined || top.dueAtMs > nowMs) return undefined;
    this.#pop();
    this.#dueAtMs.delete(top.key);
    return top.key;
  }

  #dropDead(): void {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#dueAtMs.get(top.key) === top.dueAtMs) return;
      this.#pop();
    }
  }

  #rebuild(): void {
    const live = [...this.#dueAtMs].map(([key, dueAtMs]) => ({ key, dueAtMs }));
    this.#heap = live.sort((a, b) => a.dueAtMs - b.dueAtMs);
  }

  #push(slot: Slot): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(slot);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.dueAtMs <= slot.dueAtMs) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = slot;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const child = this.#smallerChild(index);
      const below = heap[child];
      if (below === undefined || below.dueAtMs >= last.dueAtMs) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }

  #smallerChild(index: number): number {
    const left = 2 * index + 1;
    const leftSlot = this.#heap[left];
    const rightSlot = this.#heap[left + 1];
    const isRight = leftSlot !== undefined && rightSlot !== undefined && rightSlot.dueAtMs < leftSlot.dueAtMs;
    return isRight ? left + 1 : left;
  }
}
