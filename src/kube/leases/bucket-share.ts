import { createHash } from 'node:crypto';

/** Who lives and who holds what, as one replica sees it. */
export interface ShareView {
  readonly self: string;
  /** Replicas known to be alive, in any order; `self` and whoever holds a bucket count whether they are named or not. */
  readonly members: readonly string[];
  /** The holder of each bucket; undefined where it is free. */
  readonly holders: readonly (string | undefined)[];
}

/** Buckets that a replica should take, best first, and give up. */
export interface SharePlan {
  readonly take: readonly number[];
  readonly release: readonly number[];
}

/**
 * What a replica has to do so that the buckets end up spread evenly. Each replica has a target, and the targets add up to
 * the number of buckets; where they cannot be equal, those who hold more keep more, so that no bucket moves in vain.
 * Replicas that see different things for a moment may plan the same bucket: only one of them gets it.
 */
export function planShare({ self, members, holders }: ShareView): SharePlan {
  const holding = holders.filter((holder) => holder !== undefined);
  const alive = [...new Set([...members, ...holding, self])];
  const heldBy = (member: string): number => holders.filter((holder) => holder === member).length;
  const ranked = alive.toSorted((a, b) => heldBy(b) - heldBy(a) || (a < b ? -1 : 1));
  const extra = ranked.indexOf(self) < holders.length % alive.length ? 1 : 0;
  const target = Math.floor(holders.length / alive.length) + extra;
  const held = bucketsOf(holders, self);
  const free = bucketsOf(holders, undefined);
  return {
    take: inOwnOrder(free, self).slice(0, Math.max(0, target - held.length)),
    release: inOwnOrder(held, self).slice(target),
  };
}

/** The bucket of a key: the same in every replica and version. */
export function bucketOfKey(key: string, buckets: number): number {
  return hashOf(key) % buckets;
}

function bucketsOf(holders: ShareView['holders'], holder: string | undefined): readonly number[] {
  return holders.flatMap((one, bucket) => (one === holder ? [bucket] : []));
}

/** An order that differs from replica to replica, so that they do not all reach for the same bucket. */
function inOwnOrder(buckets: readonly number[], self: string): readonly number[] {
  return buckets.toSorted((a, b) => hashOf(`${self} ${a}`) - hashOf(`${self} ${b}`) || a - b);
}

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
