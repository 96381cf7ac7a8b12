/** What one contender needed for its bursts. */
export interface Measurement {
  readonly runs: number;
  /** From the first completion to the last mark. */
  readonly seconds: number;
  /** From completion to mark, one for each run of the bursts. */
  readonly latencySeconds: readonly number[];
  /** The same for runs that came one at a time. */
  readonly singleSeconds: readonly number[];
  readonly cpuSeconds: number;
  readonly peakRssBytes: number;
  readonly registryRequests: number;
  /** Runs that the contender marked as failed, or marked as signed without evidence in the registry. */
  readonly unsigned: number;
}

/** A measurement, told in the figures of the bench's last line. */
export interface Figures {
  readonly runsPerSecond: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  readonly singleSeconds: number;
  readonly cpuMillisecondsPerRun: number;
  readonly peakRssMiB: number;
  readonly registryRequestsPerRun: number;
  readonly unsigned: number;
}

/** Pools several bursts of one contender. */
export function pool(parts: readonly Measurement[]): Measurement {
  const sum = (field: (part: Measurement) => number): number =>
    parts.reduce((total, part) => total + field(part), 0);
  return {
    runs: sum(({ runs }) => runs),
    seconds: sum(({ seconds }) => seconds),
    latencySeconds: parts.flatMap(({ latencySeconds }) => latencySeconds),
    singleSeconds: parts.flatMap(({ singleSeconds }) => singleSeconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    peakRssBytes: Math.max(...parts.map(({ peakRssBytes }) => peakRssBytes)),
    registryRequests: sum(({ registryRequests }) => registryRequests),
    unsigned: sum(({ unsigned }) => unsigned),
  };
}

/** The figures of a measurement. */
export function figuresOf(measurement: Measurement): Figures {
  const { runs, seconds, latencySeconds, singleSeconds, cpuSeconds, peakRssBytes } = measurement;
  return {
    runsPerSecond: rounded(runs / seconds),
    p50Seconds: rounded(quantile(latencySeconds, 0.5)),
    p99Seconds: rounded(quantile(latencySeconds, 0.99)),
    singleSeconds: rounded(quantile(singleSeconds, 0.5)),
    cpuMillisecondsPerRun: rounded((cpuSeconds * 1000) / runs),
    peakRssMiB: rounded(peakRssBytes / 1024 ** 2),
    registryRequestsPerRun: rounded(measurement.registryRequests / runs),
    unsigned: measurement.unsigned,
  };
}

/** Each figure of `ours` divided by the peer's; a count of failures has no ratio. */
export function ratios(ours: Figures, peer: Figures): Readonly<Record<string, number>> {
  const names = (Object.keys(ours) as (keyof Figures)[]).filter((name) => name !== 'unsigned');
  return Object.fromEntries(names.map((name) => [name, rounded(ours[name] / peer[name])]));
}

/** Lines of a table, a column for each contender. */
export function table(columns: ReadonlyMap<string, Figures>): string {
  const names = [...columns.keys()];
  const rows = Object.keys([...columns.values()][0] ?? {}) as (keyof Figures)[];
  const line = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(24) : cell.padStart(16))).join('');
  return [
    line(['', ...names]),
    ...rows.map((row) => line([row, ...[...columns.values()].map((figures) => String(figures[row]))])),
  ].join('\n');
}

/** The value below which a share `q` of the sample lies (nearest rank). */
export function quantile(sample: readonly number[], q: number): number {
  const sorted = sample.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
