import { explainBriefly, explainFully } from '../../policy/explanation.ts';
import type { ImageJudgement } from '../../policy/judgement.ts';
import type { WorkloadKind } from '../../policy/policy-matching.ts';
import { listWorkloadImages, workloadKindOf } from '../../policy/workload-images.ts';
import type { FileObject } from './policy-files.ts';

/** An image to be judged, with the object that would run it. */
export interface TestImage {
  readonly image: string;
  /** Its field in the object; absent for an image that was named alone. */
  readonly path?: string;
  readonly workload: WorkloadKind;
  readonly object: Readonly<Record<string, unknown>>;
}

/** What the webhook would say of one image. */
export interface TestedImage extends ImageJudgement {
  readonly path?: string;
  /** Its message, as `kubectl` shows it; empty if it would be admitted. */
  readonly message: string;
}

/** Images named alone are judged as those of a bare Pod. */
export function asPodImage(image: string): TestImage {
  const object = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [{ image }] } };
  return { image, workload: workloadKindOf(object), object };
}

/** Every image of the workloads in files, in their order. */
export function imagesOf(workloads: readonly FileObject[]): readonly TestImage[] {
  return workloads.flatMap(({ value }) =>
    listWorkloadImages(value).map((found) => ({ ...found, workload: workloadKindOf(value), object: value })),
  );
}

/** A judgement with the webhook's message. */
export function toTested(judgement: ImageJudgement, { path }: TestImage): TestedImage {
  return path === undefined
    ? { ...judgement, message: explainBriefly(judgement) }
    : { ...judgement, path, message: explainBriefly(judgement, { path }) };
}

/** Tested images as text: what the webhook would say, then every check. */
export function formatTested(tested: readonly TestedImage[]): string {
  return tested
    .map((one) => [...(one.message === '' ? [] : [one.message, '']), explainFully(one), ''].join('\n'))
    .join('\n');
}
