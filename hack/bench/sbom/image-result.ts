import { quantile } from '../figures.ts';
import type { Comparison } from './comparison.ts';
import type { Measurement } from './measurement.ts';

/** What one contender needed for one image: medians of the rounds, and the highest memory of any. */
export interface Need {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
  readonly temporaryMiB: number;
}

/** Everything measured of one image. */
export interface ImageResult {
  readonly name: string;
  readonly layers: number;
  readonly compressedMiB: number;
  readonly ours: Need;
  readonly peer: Need;
  readonly packages: Comparison;
}

const mebibyte = 1024 ** 2;

/** Pools the rounds of one contender. */
export function needOf(rounds: readonly Measurement[]): Need {
  const median = (field: (one: Measurement) => number): number => rounded(quantile(rounds.map(field), 0.5));
  return {
    wallSeconds: median(({ wallSeconds }) => wallSeconds),
    cpuSeconds: median(({ cpuSeconds }) => cpuSeconds),
    peakRssMiB: rounded(Math.max(...rounds.map(({ peakRssBytes }) => peakRssBytes)) / mebibyte),
    temporaryMiB: rounded(Math.max(...rounds.map(({ temporaryBytes }) => temporaryBytes)) / mebibyte),
  };
}

/** Ours divided by the peer's, field by field; nothing over nothing is left out. */
export function ratioOf(ours: Need, peer: Need): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(ours).flatMap(([field, value]) => {
      const other = peer[field as keyof Need];
      return other > 0 ? [[field, rounded((value as number) / other)]] : [];
    }),
  );
}

/** Sums of times, highest of memory and disk. */
export function totalOf(needs: readonly Need[]): Need {
  const sum = (field: (need: Need) => number): number =>
    rounded(needs.reduce((total, need) => total + field(need), 0));
  return {
    wallSeconds: sum(({ wallSeconds }) => wallSeconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    peakRssMiB: Math.max(...needs.map(({ peakRssMiB }) => peakRssMiB)),
    temporaryMiB: Math.max(...needs.map(({ temporaryMiB }) => temporaryMiB)),
  };
}

/** Lines for people: an image each, ours and the peer's side by side. */
export function tableOf(results: readonly ImageResult[]): string {
  const head = [
    'image',
    'MiB',
    'CPU s',
    'peer',
    'ratio',
    'wall s',
    'peer',
    'ratio',
    'RSS MiB',
    'peer',
    'ratio',
    'disk',
    'peer',
    'both',
    'only us',
    'only peer',
    'installed',
    'we miss',
    'peer misses',
  ];
  const rows = results.map(({ name, compressedMiB, ours, peer, packages }) => {
    const ratio = ratioOf(ours, peer);
    const count = (reasons: Readonly<Record<string, number>>): number =>
      Object.values(reasons).reduce((sum, one) => sum + one, 0);
    return [
      name,
      ...[Math.round(compressedMiB), ours.cpuSeconds, peer.cpuSeconds, ratio['cpuSeconds'] ?? 0],
      ...[ours.wallSeconds, peer.wallSeconds, ratio['wallSeconds'] ?? 0],
      ...[Math.round(ours.peakRssMiB), Math.round(peer.peakRssMiB), ratio['peakRssMiB'] ?? 0],
      ...[Math.round(ours.temporaryMiB), Math.round(peer.temporaryMiB)],
      ...[packages.both, count(packages.onlyOurs), count(packages.onlyPeer), packages.installed],
      ...[packages.missing.ours.length, packages.missing.peer.length],
    ].map(String);
  });
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  ');
  return [head, ...rows].map(line).join('\n');
}

/** The differences of all images by reason, as sentences. */
export function reasonsOf(results: readonly ImageResult[]): string {
  return results
    .flatMap(({ name, packages }) => [
      ...Object.entries(packages.onlyOurs).map(
        ([reason, count]) => `${name}: ${count} only in ours: ${reason}`,
      ),
      ...Object.entries(packages.onlyPeer).map(
        ([reason, count]) => `${name}: ${count} only in the peer's: ${reason}`,
      ),
      ...packages.missing.ours.slice(0, 10).map((key) => `${name}: we miss ${key}`),
      ...packages.unexplained.slice(0, 10).map((key) => `${name}: unexplained: ${key}`),
    ])
    .join('\n');
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
