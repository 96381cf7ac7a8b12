import { wellKnownGroup } from './java-groups.ts';

type Manifest = Readonly<Record<string, string>>;

/** What can tell the Maven group of an archive that holds no Maven file of its own. */
export interface GroupEvidence {
  readonly artifact: string;
  readonly version?: string;
  readonly manifest: Manifest;
  /** From a file name like `com.example.artifact-1.0.jar`. */
  readonly fileGroup?: string;
  /** The package that all classes share. */
  readonly root?: string;
  /** The group under which poms elsewhere in the image require the artifact. */
  readonly required?: string;
}

/** Groups are domain names backwards; the top-level domains are those under which Java projects publish. */
const domainName =
  /^(?:com|org|net|io|edu|gov|dev|app|me|info|biz|ai|tech|cloud|ch|cn|co|de|eu|fr|it|jp|nl|pl|ru|uk|us|jakarta|javax)(?:\.[\w-]+)+$/;

/** Under these domains many projects publish, each with a group of its own below. */
const sharedDomains = new Set([
  ...['org.apache', 'org.codehaus', 'org.eclipse', 'org.glassfish', 'org.jboss', 'org.jetbrains'],
  ...['com.github', 'com.google', 'com.sun', 'io.github', 'net.java', 'net.sourceforge', 'net.sf'],
]);

/** The attributes in which builds write the Maven group, or a package name that begins with it; surest first. */
const groupAttributes = [
  'bundle-symbolicname',
  'extension-name',
  'specification-vendor',
  'implementation-vendor',
  'implementation-vendor-id',
  'implementation-title',
  'automatic-module-name',
  'main-class',
];

/** True for a domain name backwards. */
export function isReversedDomain(name: string): boolean {
  return domainName.test(name);
}

/**
 * The Maven group: what the build wrote down as such, else that of a widespread artifact, else what the file's name,
 * other artifacts' poms, the project's address, the manifest's names and at last the classes' package suggest.
 */
export function findGroup(evidence: GroupEvidence): string | undefined {
  const { artifact, version, manifest, fileGroup, root, required } = evidence;
  return (
    writtenGroup(manifest) ??
    wellKnownGroup(artifact, version) ??
    fileGroup ??
    (required !== undefined && mayHold(required, root) ? required : undefined) ??
    addressGroup(manifest, artifact) ??
    manifestGroup(manifest, artifact) ??
    packageGroup(root, artifact)
  );
}

/** Gradle's builds write `Group-Id` or (Nebula's plug-ins) `Implementation-Title: group#artifact;version`, some of Google's `groupId`. */
function writtenGroup(manifest: Manifest): string | undefined {
  const [title = ''] = /^[\w.-]+(?=#[\w.-]+;)/.exec(manifest['implementation-title'] ?? '') ?? [];
  return [manifest['group-id'], manifest['groupid'], title].find(
    (group) => group !== undefined && domainName.test(group),
  );
}

/** The same artifact name may be in use elsewhere: group and classes must be of one domain. */
function mayHold(group: string, root: string | undefined): boolean {
  const domain = (name: string): string => name.split('.').slice(0, 2).join('.');
  return root === undefined || domain(group) === domain(root);
}

/** A project with a host of its own, `asm.ow2.org` for the artifact `asm`, publishes under that name. */
function addressGroup(manifest: Manifest, artifact: string): string | undefined {
  for (const address of [manifest['bundle-docurl'], manifest['implementation-url']]) {
    if (address === undefined || !URL.canParse(address)) continue;
    const labels = new URL(address).hostname.split('.');
    const group = [...labels].reverse().join('.');
    if (labels.length > 2 && labels[0] === artifact.split('-')[0] && domainName.test(group)) return group;
  }
  return undefined;
}

/** The group that the names in the manifest begin with. */
export function manifestGroup(manifest: Manifest, artifact: string): string | undefined {
  for (const attribute of groupAttributes) {
    const [value = ''] = (manifest[attribute] ?? '').split(';');
    const group = value.trim();
    if (domainName.test(group)) return withoutArtifact(group, artifact);
  }
  return undefined;
}

/** maven-bundle-plugin and sbt name bundles `<group>.<artifact>`; sbt's without the Scala version. */
function withoutArtifact(name: string, artifact: string): string {
  const plain = artifact.replace(/_\d[\d.]*$/, '');
  const suffixes = [plain, plain.replaceAll('-', '.')];
  const suffix = suffixes.map((one) => `.${one}`).find((one) => name.endsWith(one));
  const group = suffix === undefined ? name : name.slice(0, -suffix.length);
  return group.includes('.') ? group : name;
}

/** The package without the last names that only repeat the artifact's: `io.example.sdk.trace` of `example-sdk-trace`. */
function packageGroup(root: string | undefined, artifact: string): string | undefined {
  // Anybody implements the standards' packages.
  if (root === undefined || !domainName.test(root) || /^(?:javax|jakarta)\./.test(root)) return undefined;
  const words = artifact.toLowerCase().split(/[-_.]/);
  const parts = root.split('.');
  while (parts.length > 2) {
    const last = (parts.at(-1) ?? '').toLowerCase();
    const isRepeated = words.some((word) => word === last || (last.length > 3 && word.startsWith(last)));
    if (!isRepeated || sharedDomains.has(parts.slice(0, -1).join('.'))) break;
    parts.pop();
  }
  return parts.join('.');
}
