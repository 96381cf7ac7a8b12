import { eventReasons } from '../../../kube/events.ts';
import type { KubeClient } from '../../../kube/kube-client.ts';
import type { KubeObject } from '../../../kube/kube-object.ts';
import { resourceTypes } from '../../../kube/resource-type.ts';
import { objectIn } from '../../../model/json-object.ts';
import type { PoliciesInForce } from '../../../policy/policy-register.ts';
import { workloadKindOf } from '../../../policy/workload-images.ts';
import type { JudgeRunning } from '../../../reconcilers/scan/scan-verdict.ts';
import type { ImpactOutcome } from './impact-report.ts';
import { impactOf } from './impact-rows.ts';

/** What an Event tells of an image that was denied or warned of. */
export interface PastDecision {
  /** When it was told last, RFC 3339. */
  readonly at: string;
  readonly times: number;
  readonly namespace: string;
  readonly object: string;
  readonly reason: string;
  /** Policies that the Event names. */
  readonly policies: readonly string[];
  /** `HOST/PATH@sha256:HEX`, where the Event names one. */
  readonly image?: string;
  /** What would become of that image now, in a Pod of that namespace. */
  readonly then?: ImpactOutcome;
  readonly message: string;
}

/** What was told, and whether there was more than is looked at. */
export interface PastDecisions {
  readonly past: readonly PastDecision[];
  readonly isCut: boolean;
}

const reasons = [
  eventReasons.imageDenied,
  eventReasons.imageWarned,
  eventReasons.runningImageDenied,
  eventReasons.runningImageWarned,
];
/** More Events tell no more: they repeat themselves. */
const maxEvents = 5000;
const maxImages = 500;

/** Reads the Events of webhook and scan since an instant, the newest first. Throws ERR_KUBE_*. */
export async function readPast(
  client: Pick<KubeClient, 'listPages'>,
  namespaces: readonly string[],
  { since, signal }: { readonly since: Date; readonly signal: AbortSignal },
): Promise<PastDecisions> {
  const wanted = new Set(namespaces);
  // Who may look into some namespaces only must not list all.
  const [only] = namespaces;
  const namespace = namespaces.length === 1 ? only : undefined;
  const found: PastDecision[] = [];
  let seen = 0;
  for (const reason of reasons) {
    const fieldSelector = `reason=${reason}`;
    const options = { fieldSelector, signal, ...(namespace === undefined ? {} : { namespace }) };
    for await (const { items } of client.listPages(resourceTypes.events, options)) {
      seen += items.length;
      const told = items.filter(({ metadata }) => wanted.has(metadata.namespace ?? '')).map(toPast);
      found.push(...told.filter(({ at }) => Date.parse(at) >= since.getTime()));
      if (seen > maxEvents) return { past: newestFirst(found), isCut: true };
    }
  }
  return { past: newestFirst(found), isCut: false };
}

/** What would become of each image that was told of, were it to come again in a Pod; of too many the newest. */
export async function judgePast(
  { past, isCut: wasCut }: PastDecisions,
  inForce: PoliciesInForce,
  { judge, signal }: { readonly judge: JudgeRunning; readonly signal: AbortSignal },
): Promise<PastDecisions> {
  const known = new Map<string, ImpactOutcome>();
  const judged: PastDecision[] = [];
  let isCut = wasCut;
  for (const decision of past) {
    const { namespace, image } = decision;
    const key = `${namespace} ${image ?? ''}`;
    if (image !== undefined && !known.has(key) && known.size < maxImages) {
      known.set(key, await judgeOne({ namespace, image }, inForce, { judge, signal }));
    }
    const then = image === undefined ? undefined : known.get(key);
    isCut ||= image !== undefined && then === undefined;
    judged.push(then === undefined ? decision : { ...decision, then });
  }
  return { past: judged, isCut };
}

async function judgeOne(
  { namespace, image }: { readonly namespace: string; readonly image: string },
  inForce: PoliciesInForce,
  { judge, signal }: { readonly judge: JudgeRunning; readonly signal: AbortSignal },
): Promise<ImpactOutcome> {
  const object = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image }] } };
  const account = { namespace, serviceAccount: '', pullSecrets: [] };
  const paths = ['spec.containers[0].image'];
  const workload = workloadKindOf(object);
  return impactOf(await judge({ image, paths, object, workload, account, isPod: true, inForce, signal }));
}

function toPast(event: KubeObject): PastDecision {
  const { involvedObject, reason, message, lastTimestamp, eventTime, count, metadata } = event;
  const { kind, name } = objectIn(involvedObject);
  const text = textOf(message);
  const image = imageIn(text);
  return {
    at: textOf(lastTimestamp) || textOf(eventTime) || textOf(metadata.creationTimestamp),
    times: typeof count === 'number' ? count : 1,
    namespace: metadata.namespace ?? '',
    object: `${textOf(kind)} ${textOf(name)}`,
    reason: textOf(reason),
    policies: [
      ...new Set([...text.matchAll(/failed policy: ([a-z0-9.-]{1,253}):/g)].map(([, name = '']) => name)),
    ],
    ...(image === undefined ? {} : { image }),
    message: text,
  };
}

/** The first image with a digest that a message names. */
function imageIn(message: string): string | undefined {
  const found = message.split(/\s/).map((word) => /^[^@]+@sha256:[0-9a-f]{64}/.exec(word)?.[0]);
  return found.find((image) => image !== undefined);
}

function newestFirst(list: readonly PastDecision[]): readonly PastDecision[] {
  return list.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
