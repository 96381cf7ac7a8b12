import type { Digest } from '../model/digest.ts';
import type { BomComposition, BomDependency, BomDocument, BomSettings } from './bom-document.ts';
import { tooLargeFault } from './bom-size.ts';
import { summariseBom } from './bom-summary.ts';
import type { GeneratedBom } from './generate-bom.ts';
import { imagePurl } from './image-component.ts';
import { compareText } from './inventory.ts';
import { decodePurl } from './purl.ts';
import { serialNumberOf } from './serial-number.ts';

/** An image index and the BOMs of its platforms. */
export interface IndexParts {
  /** Repository without tag. */
  readonly name: string;
  readonly tag?: string;
  /** Digest of the index. */
  readonly digest: Digest;
  /** One for each platform, in the order of the index. */
  readonly platforms: readonly GeneratedBom[];
}

type Component = Record<string, unknown>;

/**
 * The BOM of an image index, for verifiers that resolve a tag to the index: a container component for each platform,
 * linked to that platform's own BOM (BOM-Link), and the united packages of all of them. Deterministic as they are.
 * Throws ERR_SBOM_TOO_LARGE.
 */
export function writeIndexBom(parts: IndexParts, settings: BomSettings): GeneratedBom {
  const documents = parts.platforms.map(
    ({ bytes }) => JSON.parse(Buffer.from(bytes).toString('utf8')) as BomDocument,
  );
  const root = indexComponent(parts);
  const platforms = documents.map(platformComponent);
  const rootRef = String(root['bom-ref']);
  const document: BomDocument & Record<string, unknown> = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    serialNumber: serialNumberOf([parts.digest, parts.name, parts.tag ?? '', JSON.stringify(settings)]),
    metadata: uniteMetadata(documents, root),
    components: uniteComponents([platforms, ...documents.map(({ components = [] }) => components)]),
    dependencies: uniteDependencies([
      [{ ref: rootRef, dependsOn: platforms.map((platform) => String(platform['bom-ref'])) }],
      ...documents.map(({ dependencies = [] }) => dependencies),
    ]),
    compositions: uniteCompositions(rootRef, documents),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const { maxBytes = Infinity } = settings;
  if (bytes.length > maxBytes) throw tooLargeFault(`${parts.name}@${parts.digest}`, bytes.length, maxBytes);
  return {
    bytes,
    serialNumber: document.serialNumber,
    distro: parts.platforms[0]?.distro,
    gaps: parts.platforms.flatMap(({ gaps }) => gaps),
    ...summariseBom(document),
  };
}

function indexComponent(parts: IndexParts): Component {
  const purl = imagePurl(parts);
  const [, hex = ''] = parts.digest.split(':');
  return {
    type: 'container',
    name: parts.name,
    version: parts.digest,
    'bom-ref': decodePurl(purl),
    hashes: [{ alg: parts.digest.startsWith('sha256:') ? 'SHA-256' : 'SHA-512', content: hex }],
    purl,
  };
}

function platformComponent({ metadata, serialNumber }: BomDocument): Component {
  const component = metadata?.['component'] as Component;
  const references = (component['externalReferences'] ?? []) as readonly Component[];
  const link = { url: `urn:cdx:${serialNumber.replace('urn:uuid:', '')}/1`, type: 'bom' };
  return { ...component, externalReferences: [...references, link] };
}

/** The first platform's metadata, the newest of the times, and every platform's gaps. */
function uniteMetadata(documents: readonly BomDocument[], root: Component): Record<string, unknown> {
  const all = documents.map(({ metadata = {} }) => metadata);
  const timestamp = all
    .map((metadata) => String(metadata['timestamp']))
    .sort(compareText)
    .at(-1);
  const properties = all.flatMap((metadata) => (metadata['properties'] ?? []) as readonly Component[]);
  return {
    ...all[0],
    ...(timestamp === undefined ? {} : { timestamp }),
    component: root,
    ...(properties.length === 0 ? {} : { properties }),
  };
}

/** One component for each `bom-ref`; the lowest platform's wins. */
function uniteComponents(lists: readonly (readonly Component[])[]): Component[] {
  const united = new Map<string, Component>();
  for (const component of lists.flat()) {
    const ref = String(component['bom-ref']);
    if (!united.has(ref)) united.set(ref, component);
  }
  return [...united.values()];
}

function uniteDependencies(lists: readonly (readonly BomDependency[])[]): BomDependency[] {
  const united = new Map<string, Set<string>>();
  for (const { ref, dependsOn = [] } of lists.flat()) {
    const edges = united.get(ref) ?? new Set<string>();
    for (const to of dependsOn) edges.add(to);
    united.set(ref, edges);
  }
  return [...united].map(([ref, edges]) =>
    edges.size === 0 ? { ref } : { ref, dependsOn: [...edges].sort(compareText) },
  );
}

/** A platform's statements hold for its own components; where two differ on a shared one, the weaker counts. */
function uniteCompositions(root: string, documents: readonly BomDocument[]): BomComposition[] {
  const all = documents.flatMap(({ compositions = [] }) => compositions);
  const taken = new Set<string>();
  const grades = ['incomplete', 'unknown', 'complete'] as const;
  const united = grades.map((aggregate): BomComposition => {
    const same = all.filter((composition) => composition.aggregate === aggregate);
    const assemblies = [...new Set(same.flatMap(({ assemblies: refs = [] }) => refs))];
    const refs = [...new Set(same.flatMap(({ dependencies = [] }) => dependencies))].filter(
      (ref) => !taken.has(ref),
    );
    for (const ref of refs) taken.add(ref);
    return { aggregate, ...(assemblies.length === 0 ? {} : { assemblies }), dependencies: refs };
  });
  const hasGaps = united[0]?.assemblies !== undefined;
  const own: BomComposition = {
    aggregate: hasGaps ? 'incomplete' : 'unknown',
    assemblies: [root],
    dependencies: [root],
  };
  return [own, ...united.filter(({ dependencies = [] }) => dependencies.length > 0)];
}
