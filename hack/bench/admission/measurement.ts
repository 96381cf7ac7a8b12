import PQueue from 'p-queue';
import { quantile } from '../figures.ts';
import type { CountingFront } from '../counting-front.ts';
import type { RunningWebhook } from './contenders.ts';
import type { Verdict, WebhookClient } from './webhook-client.ts';

/** Some Pods, asked about so many at once. */
export interface Phase {
  /** `new@10`: images not judged before, ten at once. */
  readonly name: string;
  readonly atOnce: number;
  readonly images: readonly string[];
}

/** What one contender needed for one phase. */
export interface PhaseMeasurement {
  readonly milliseconds: readonly number[];
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly registryRequests: number;
  /** Pods that were not admitted, though each image has all that the policy wants. */
  readonly wrong: number;
}

/** A phase, told in the figures of the bench's last line. */
export interface PhaseFigures {
  readonly p50Milliseconds: number;
  readonly p99Milliseconds: number;
  readonly podsPerSecond: number;
  readonly cpuMillisecondsPerPod: number;
  readonly registryRequestsPerPod: number;
  readonly wrong: number;
}

/** Asks about the images of a phase. */
export async function measurePhase(
  { images, atOnce }: Phase,
  parts: {
    readonly webhook: RunningWebhook;
    readonly client: WebhookClient;
    readonly front: CountingFront;
  },
): Promise<PhaseMeasurement> {
  const { webhook, client, front } = parts;
  const before = await webhook.usage();
  const requestsBefore = front.requests();
  const began = performance.now();
  const verdicts = await askAll(client, images, atOnce);
  const seconds = (performance.now() - began) / 1000;
  const { cpuSeconds } = await webhook.usage();
  return {
    milliseconds: verdicts.map(({ milliseconds }) => milliseconds),
    seconds,
    cpuSeconds: cpuSeconds - before.cpuSeconds,
    registryRequests: front.requests() - requestsBefore,
    wrong: verdicts.filter(({ allowed }) => !allowed).length,
  };
}

/** Asks about images, so many at once. */
export async function askAll(
  client: WebhookClient,
  images: readonly string[],
  atOnce: number,
): Promise<readonly Verdict[]> {
  const queue = new PQueue({ concurrency: atOnce });
  return queue.addAll(images.map((image) => () => client.ask(image)));
}

/** Pools the rounds of one phase. */
export function poolPhases(parts: readonly PhaseMeasurement[]): PhaseMeasurement {
  const sum = (field: (part: PhaseMeasurement) => number): number =>
    parts.reduce((total, part) => total + field(part), 0);
  return {
    milliseconds: parts.flatMap(({ milliseconds }) => milliseconds),
    seconds: sum(({ seconds }) => seconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    registryRequests: sum(({ registryRequests }) => registryRequests),
    wrong: sum(({ wrong }) => wrong),
  };
}

/** The figures of a phase. */
export function phaseFigures(measurement: PhaseMeasurement): PhaseFigures {
  const { milliseconds, seconds, cpuSeconds, registryRequests, wrong } = measurement;
  const pods = milliseconds.length;
  return {
    p50Milliseconds: rounded(quantile(milliseconds, 0.5)),
    p99Milliseconds: rounded(quantile(milliseconds, 0.99)),
    podsPerSecond: rounded(pods / seconds),
    cpuMillisecondsPerPod: rounded((cpuSeconds * 1000) / pods),
    registryRequestsPerPod: rounded(registryRequests / pods),
    wrong,
  };
}

/** Each figure of `ours` divided by the peer's; where the peer's is 0 there is no ratio. */
export function phaseRatios(ours: PhaseFigures, peer: PhaseFigures): Readonly<Record<string, number>> {
  const names = (Object.keys(ours) as (keyof PhaseFigures)[]).filter(
    (name) => name !== 'wrong' && peer[name] !== 0,
  );
  return Object.fromEntries(names.map((name) => [name, rounded(ours[name] / peer[name])]));
}

/** To four digits. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
