const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Grammar of a duration as Kubernetes writes it, e.g. `500ms`, `2s`, `1h30m`; no sign, nothing below milliseconds. */
export const durationPattern = /^(?:\d{1,9}(?:\.\d{1,3})?(?:ms|[smh]))+$/;

/** Milliseconds of a duration that matches {@link durationPattern}, e.g. 5400000 of `1h30m`. */
export function durationMs(text: string): number {
  let sum = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|[smh])/g)) {
    sum += Number(amount) * unitMs[unit as keyof typeof unitMs];
  }
  return Math.round(sum);
}
