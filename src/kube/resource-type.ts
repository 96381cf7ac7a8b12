import { AppError } from '../model/errors.ts';

/** A kind of object that the API server keeps, with what its paths are made of. */
export interface ResourceType {
  /** API group; empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Lower-case plural, as in paths and RBAC rules. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Names one object; `namespace` is absent for cluster-scoped kinds. */
export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The kinds that this project reads or writes by itself. */
export const resourceTypes = {
  taskRuns: {
    group: 'tekton.dev',
    version: 'v1',
    plural: 'taskruns',
    kind: 'TaskRun',
    namespaced: true,
  },
  clusterImagePolicies: {
    group: 'policy.sigstore.dev',
    version: 'v1alpha1',
    plural: 'clusterimagepolicies',
    kind: 'ClusterImagePolicy',
    namespaced: false,
  },
  trustRoots: {
    group: 'policy.sigstore.dev',
    version: 'v1alpha1',
    plural: 'trustroots',
    kind: 'TrustRoot',
    namespaced: false,
  },
  imageValidatingPolicies: {
    group: 'policies.kyverno.io',
    version: 'v1',
    plural: 'imagevalidatingpolicies',
    kind: 'ImageValidatingPolicy',
    namespaced: false,
  },
  validatingWebhooks: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'validatingwebhookconfigurations',
    kind: 'ValidatingWebhookConfiguration',
    namespaced: false,
  },
  mutatingWebhooks: {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    plural: 'mutatingwebhookconfigurations',
    kind: 'MutatingWebhookConfiguration',
    namespaced: false,
  },
  chainwrightConfigs: {
    group: 'chainwright.dev',
    version: 'v1alpha1',
    plural: 'chainwrightconfigs',
    kind: 'ChainwrightConfig',
    namespaced: false,
  },
  signingPolicies: {
    group: 'chainwright.dev',
    version: 'v1alpha1',
    plural: 'signingpolicies',
    kind: 'SigningPolicy',
    namespaced: true,
  },
  signingRecords: {
    group: 'chainwright.dev',
    version: 'v1alpha1',
    plural: 'signingrecords',
    kind: 'SigningRecord',
    namespaced: true,
  },
  logMonitors: {
    group: 'chainwright.dev',
    version: 'v1alpha1',
    plural: 'logmonitors',
    kind: 'LogMonitor',
    namespaced: false,
  },
  customResourceDefinitions: {
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
    kind: 'CustomResourceDefinition',
    namespaced: false,
  },
  subjectAccessReviews: {
    group: 'authorization.k8s.io',
    version: 'v1',
    plural: 'subjectaccessreviews',
    kind: 'SubjectAccessReview',
    namespaced: false,
  },
  selfSubjectAccessReviews: {
    group: 'authorization.k8s.io',
    version: 'v1',
    plural: 'selfsubjectaccessreviews',
    kind: 'SelfSubjectAccessReview',
    namespaced: false,
  },
  selfSubjectReviews: {
    group: 'authentication.k8s.io',
    version: 'v1',
    plural: 'selfsubjectreviews',
    kind: 'SelfSubjectReview',
    namespaced: false,
  },
  deployments: { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true },
  namespaces: { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false },
  pods: { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true },
  serviceAccounts: {
    group: '',
    version: 'v1',
    plural: 'serviceaccounts',
    kind: 'ServiceAccount',
    namespaced: true,
  },
  secrets: { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true },
  configMaps: { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true },
  events: { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true },
  replicaSets: {
    group: 'apps',
    version: 'v1',
    plural: 'replicasets',
    kind: 'ReplicaSet',
    namespaced: true,
  },
  statefulSets: {
    group: 'apps',
    version: 'v1',
    plural: 'statefulsets',
    kind: 'StatefulSet',
    namespaced: true,
  },
  daemonSets: {
    group: 'apps',
    version: 'v1',
    plural: 'daemonsets',
    kind: 'DaemonSet',
    namespaced: true,
  },
  cronJobs: {
    group: 'batch',
    version: 'v1',
    plural: 'cronjobs',
    kind: 'CronJob',
    namespaced: true,
  },
  jobs: { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true },
  replicationControllers: {
    group: '',
    version: 'v1',
    plural: 'replicationcontrollers',
    kind: 'ReplicationController',
    namespaced: true,
  },
  policyExceptions: {
    group: 'chainwright.dev',
    version: 'v1alpha1',
    plural: 'imagepolicyexceptions',
    kind: 'ImagePolicyException',
    namespaced: true,
  },
  policyReports: {
    group: 'wgpolicyk8s.io',
    version: 'v1alpha2',
    plural: 'policyreports',
    kind: 'PolicyReport',
    namespaced: true,
  },
  openReports: {
    group: 'openreports.io',
    version: 'v1alpha1',
    plural: 'reports',
    kind: 'Report',
    namespaced: true,
  },
  leases: {
    group: 'coordination.k8s.io',
    version: 'v1',
    plural: 'leases',
    kind: 'Lease',
    namespaced: true,
  },
} as const satisfies Record<string, ResourceType>;

/** The `apiVersion` of objects of this kind: `v1` or `tekton.dev/v1`. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** The name that RBAC messages use: `taskruns.tekton.dev`. */
export function qualifiedNameOf(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

/** `namespace/name`, or the name alone. */
export function formatObjectRef(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Path of all objects of a kind, or of those of one namespace. Throws ERR_KUBE_INVALID. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${pathSegment(namespace)}` : '';
  return `${root}${scope}/${type.plural}`;
}

/** Path of one object, or of a subresource of it such as `token`. Throws ERR_KUBE_INVALID. */
export function objectPath(type: ResourceType, ref: ObjectRef, subresource?: string): string {
  const path = `${collectionPath(type, ref.namespace)}/${pathSegment(ref.name)}`;
  return subresource === undefined ? path : `${path}/${pathSegment(subresource)}`;
}

// the API server's own rule for names in paths (IsValidPathSegmentName), and non-empty
function pathSegment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) {
    throw new AppError('ERR_KUBE_INVALID', `"${name.slice(0, 253)}" is no name of a Kubernetes object`, {
      kind: 'permanent',
      remedy: 'Give a name without slash and percent sign.',
    });
  }
  return encodeURIComponent(name);
}
