import type { ImageValidatingPolicy } from './kyverno-types.ts';

/** The Pod's spec in each kind that makes Pods. */
const podSpec =
  '(object.kind == "Pod" ? object.spec : object.kind == "CronJob" ? object.spec.jobTemplate.spec.template.spec : object.spec.template.spec)';

const allImages = `cel.bind(s, ${podSpec}, (s.?containers.orValue([]) + s.?initContainers.orValue([]) + s.?ephemeralContainers.orValue([])).map(c, c.image).distinct())`;
const nothing = '["none"].filter(e, false)';

/**
 * The images of an object, each once and all under one name: Kyverno 1.19.1 comes to a standstill where it reads an image
 * after one that it has read before (imagedataloader, imageContext.Get).
 */
export const imageExtractors: ImageValidatingPolicy['spec']['images'] = [
  { name: 'containers', expression: allImages },
  { name: 'initContainers', expression: nothing },
  { name: 'ephemeralContainers', expression: nothing },
];

/** A check on every image, in the variable `i`. */
export function everyImage(expression: string): string {
  return `images.containers.all(i, ${expression})`;
}

/** Images that are mounted as volumes are extracted by nobody. */
export const withoutImageVolumes = `!${podSpec}.?volumes.orValue([]).exists(v, has(v.image))`;

const host = String.raw`(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?`;
const component = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;

/** An image that is pinned, by the grammar that our own webhook reads. */
export const pinnedImage = `^(?:${host}/)?${component}(?:/${component})*(?::[0-9A-Za-z_][0-9A-Za-z_.-]{0,127})?@sha256:[0-9a-f]{64}$`;
