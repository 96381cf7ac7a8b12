import PQueue from 'p-queue';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { KubeObject } from '../../kube/kube-object.ts';
import { looksAtObject } from '../../policy/image-judge.ts';
import type { PoliciesInForce } from '../../policy/policy-register.ts';
import { listWorkloadImages, pullAccountOf, workloadKindOf } from '../../policy/workload-images.ts';
import type { RunningImage, RunningPod } from './running-pod.ts';
import type { ImageFinding, JudgeRunning, PlacedFinding, ScannedImage } from './scan-verdict.ts';
import { findPod } from './subject-finder.ts';

/** What judging one workload takes. */
export interface WorkloadJudgingParts {
  readonly client: Pick<KubeClient, 'get'>;
  readonly judge: JudgeRunning;
}

/** A workload, with its Pods. */
export interface JudgedWorkload {
  readonly namespace: string;
  readonly pods: readonly RunningPod[];
  /** The workload itself, if it is not a Pod. */
  readonly object?: KubeObject | undefined;
  readonly inForce: PoliciesInForce;
}

/** What was found about a workload. */
export interface WorkloadFinding {
  readonly findings: readonly PlacedFinding[];
  /** The findings about each Pod. */
  readonly ofPods: readonly (readonly PlacedFinding[])[];
}

/** Pods that differ in nothing that a policy could see. */
interface Group {
  readonly image: RunningImage;
  readonly pods: RunningPod[];
}

// Each is a judgement of which the door has places for 1,024, and a policy that looks at the object has one a Pod.
const atOnce = 8;

/**
 * Judges what the Pods of a workload run, each image once, as the door would judge such a Pod; and what the workload's
 * own template names, as the door would judge the workload. Throws ERR_KUBE_*, and the signal's reason.
 */
export async function judgeWorkload(
  workload: JudgedWorkload,
  parts: WorkloadJudgingParts,
  signal: AbortSignal,
): Promise<WorkloadFinding> {
  const groups = groupsOf(workload);
  const judged = await forEach(groups, (group) => judgeGroup(group, workload, parts, signal));
  const ofTemplate = await judgeTemplate(workload, parts, signal);
  const byPod = new Map<RunningPod, PlacedFinding[]>(workload.pods.map((pod) => [pod, []]));
  groups.forEach(({ pods }, index) => {
    const finding = judged[index];
    if (finding !== undefined) for (const pod of pods) byPod.get(pod)?.push(finding);
  });
  return { findings: [...judged, ...ofTemplate], ofPods: [...byPod.values()] };
}

/** Does some at once; after a fault what still waits is left alone. */
async function forEach<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const queue = new PQueue({ concurrency: atOnce });
  try {
    return await Promise.all(items.map((item) => queue.add(() => work(item))));
  } finally {
    queue.clear();
  }
}

function groupsOf({ pods, inForce }: JudgedWorkload): readonly Group[] {
  const { seesLabels, seesObject } = whatIsSeen(inForce);
  const groups = new Map<string, Group>();
  for (const pod of pods) {
    const seen = [
      pod.account,
      seesLabels ? pod.metadata.labels : undefined,
      seesObject ? pod.metadata.uid : undefined,
    ];
    for (const image of pod.images) {
      const key = JSON.stringify([image.image, image.digestFrom, ...seen]);
      const group = groups.get(key) ?? { image, pods: [] };
      group.pods.push(pod);
      groups.set(key, group);
    }
  }
  return [...groups.values()];
}

/** What of a Pod the policies look at besides its images. */
function whatIsSeen({ policies }: PoliciesInForce): { seesLabels: boolean; seesObject: boolean } {
  return {
    seesLabels: policies.some(({ compiled }) =>
      compiled.match.some(({ selector }) => selector !== undefined),
    ),
    seesObject: policies.some(({ compiled }) => looksAtObject(compiled)),
  };
}

async function judgeGroup(
  { image, pods }: Group,
  { namespace, inForce }: JudgedWorkload,
  { client, judge }: WorkloadJudgingParts,
  signal: AbortSignal,
): Promise<PlacedFinding> {
  const [pod] = pods;
  if (pod === undefined) throw new Error('a group without Pods');
  const place = { judgedAs: 'Pod', digestFrom: image.digestFrom, pods: pods.length };
  if (image.digestFrom === 'nobody') return { ...unknownDigest(image), ...place };
  const object = whatIsSeen(inForce).seesObject ? ((await findPod(client, pod, signal)) ?? pod) : pod;
  const asked: ScannedImage = {
    ...{ image: image.image, paths: image.paths, object, inForce, signal },
    workload: workloadKindOf(pod),
    account: { namespace, ...pod.account },
    isPod: true,
  };
  return { ...(await judge(asked)), ...place };
}

async function judgeTemplate(
  { object, namespace, inForce }: JudgedWorkload,
  { judge }: WorkloadJudgingParts,
  signal: AbortSignal,
): Promise<readonly PlacedFinding[]> {
  if (object === undefined) return [];
  const places = Map.groupBy(listWorkloadImages(object), ({ image }) => image);
  const base = {
    ...{ object, inForce, signal, isPod: false },
    workload: workloadKindOf(object),
    account: { namespace, ...pullAccountOf(object) },
  };
  return forEach([...places], async ([image, list]): Promise<PlacedFinding> => {
    const finding = await judge({ ...base, image, paths: list.map(({ path }) => path) });
    const digestFrom = image.includes('@') ? 'spec' : 'registry';
    return { ...finding, judgedAs: object.kind, digestFrom, pods: 0 };
  });
}

/** A tag says nothing about what runs, and the kubelet does not tell. */
function unknownDigest({ image, paths }: RunningImage): ImageFinding {
  const place = `${paths.join(', ')}: ${image.slice(0, 300)}`;
  return {
    image,
    outcome: 'denied',
    faultKind: 'passing',
    brief: `cannot tell what runs: ${place}: the Pod names a tag, and its status no digest. Next: make the Pod anew, so that the webhook pins the digest.`,
    decisions: [{ policy: '', outcome: 'denied', reason: 'ERR_ADMISSION_TAG' }],
  };
}
