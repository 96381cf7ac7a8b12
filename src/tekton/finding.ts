/** Where in a run a subject, material or problem comes from. */
export interface Source {
  /**
   * `result`: status.results; `artifact`: status.artifacts; `param`: spec.params; `param-default`:
   * status.taskSpec.params; `step` and `sidecar`: their containers' images.
   */
  readonly kind: 'result' | 'artifact' | 'param' | 'param-default' | 'step' | 'sidecar';
  readonly names: readonly string[];
}

/** Something in a run that says less than it seems to: the other findings of the run are not affected by it. */
export interface Problem {
  /**
   * `ERR_TEKTON_RESULT`: it cannot be parsed; `ERR_TEKTON_RESULT_UNPAIRED`: its other half is missing;
   * `ERR_TEKTON_IMAGE_ID`: a container that never started has no usable image id.
   */
  readonly code: 'ERR_TEKTON_RESULT' | 'ERR_TEKTON_RESULT_UNPAIRED' | 'ERR_TEKTON_IMAGE_ID';
  /** `error`: the author meant something that is not done now; `notice`: harmless as often as not. */
  readonly severity: 'error' | 'notice';
  readonly message: string;
  readonly source: Source;
}

const nouns: Readonly<Record<Source['kind'], readonly [string, string]>> = {
  result: ['result', 'results'],
  artifact: ['artifact', 'artifacts'],
  param: ['param', 'params'],
  'param-default': ['default of param', 'defaults of params'],
  step: ['image of step', 'images of steps'],
  sidecar: ['image of sidecar', 'images of sidecars'],
};

/** A source in words: `results IMAGE_URL + IMAGE_DIGEST`, `image of step build`. */
export function describeSource(source: Source): string {
  const [one, many] = nouns[source.kind];
  return `${source.names.length === 1 ? one : many} ${source.names.join(' + ')}`;
}
