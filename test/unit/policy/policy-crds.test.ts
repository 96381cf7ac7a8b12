import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';
import { clusterImagePolicyShape, trustRootShape } from '../../../src/policy/policy-schema.ts';

type Node = Readonly<Record<string, unknown>>;
interface Version {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly subresources: object;
  readonly additionalPrinterColumns: readonly { readonly name: string }[];
  readonly schema: { readonly openAPIV3Schema: Node };
}
interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly scope: string;
    readonly names: { readonly kind: string; readonly shortNames?: readonly string[] };
    readonly conversion?: object;
    readonly versions: readonly Version[];
  };
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const propertiesOf = (node: Node): [string, Node][] =>
  Object.entries((node['properties'] ?? {}) as Record<string, Node>);

/** Every field with its type, as `path type`; of texts that may be one of a few only, these too. */
const fieldsOf = (node: Node, path: string): readonly string[] => [
  `${path} ${String(node['type'])}`,
  ...propertiesOf(node).flatMap(([name, part]) => fieldsOf(part, `${path}.${name}`)),
  ...(isNode(node['items']) ? fieldsOf(node['items'], `${path}[]`) : []),
  ...(isNode(node['additionalProperties']) ? fieldsOf(node['additionalProperties'], `${path}{}`) : []),
];

/** All nodes below one, with their paths. */
const nodesOf = (node: Node, path: string): readonly (readonly [string, Node])[] => [
  [path, node],
  ...propertiesOf(node).flatMap(([name, part]) => nodesOf(part, `${path}.${name}`)),
  ...(isNode(node['items']) ? nodesOf(node['items'], `${path}[]`) : []),
];

const kinds = [
  { plural: 'clusterimagepolicies', kind: 'ClusterImagePolicy', shape: clusterImagePolicyShape },
  { plural: 'trustroots', kind: 'TrustRoot', shape: trustRootShape },
] as const;

describe('the CRDs of policy.sigstore.dev', () => {
  for (const { plural, kind, shape } of kinds) {
    describe(kind, () => {
      let crd: Crd;
      let text: string;
      let root: Node;
      let spec: Node;
      before(async () => {
        text = await readFile(
          new URL(`../../../crds/policy.sigstore.dev_${plural}.yaml`, import.meta.url),
          'utf8',
        );
        crd = parse(text) as Crd;
        root = crd.spec.versions[0]?.schema.openAPIV3Schema ?? {};
        spec = Object.fromEntries(propertiesOf(root))['spec'] ?? {};
      });

      it("is Sigstore's own kind, for the whole cluster, with a status of its own", () => {
        expect(crd.metadata.name).to.equal(`${plural}.policy.sigstore.dev`);
        expect(crd.spec.names.kind).to.equal(kind);
        expect(crd.spec.scope).to.equal('Cluster');
        for (const { subresources, additionalPrinterColumns } of crd.spec.versions) {
          expect(subresources).to.deep.equal({ status: {} });
          expect(additionalPrinterColumns.map(({ name }) => name)).to.include.members([
            'Ready',
            'Reason',
            'Age',
          ]);
        }
      });

      it('has the fields and types of the schema that the code reads with, none more and none less', () => {
        const ours = z.toJSONSchema(shape, { target: 'openapi-3.0', io: 'input' }) as Node;
        const ourSpec = Object.fromEntries(propertiesOf(ours))['spec'] ?? {};
        expect([...fieldsOf(spec, 'spec')].sort()).to.deep.equal([...fieldsOf(ourSpec, 'spec')].sort());
      });

      it('describes every property', () => {
        const undescribed = nodesOf(root, kind)
          .filter(([path, node]) => !path.endsWith('[]') && typeof node['description'] !== 'string')
          .map(([path]) => path);
        expect(undescribed).to.deep.equal([`${kind}.metadata`]);
      });

      it('bounds every text and list of the spec, so that rules have a bounded cost', () => {
        const unbounded = nodesOf(spec, 'spec').filter(
          ([, node]) =>
            (node['type'] === 'string' && !('maxLength' in node || 'enum' in node)) ||
            (node['type'] === 'array' && !('maxItems' in node)),
        );
        expect(unbounded.map(([path]) => path)).to.deep.equal([]);
      });

      it('requires no field that it does not have, and gives no defaults', () => {
        for (const [path, node] of nodesOf(root, kind)) {
          const names = propertiesOf(node).map(([name]) => name);
          expect(names, path).to.include.members((node['required'] ?? []) as string[]);
          expect(node, path).not.to.have.property('default');
        }
      });

      it('takes conditions of any name', () => {
        const conditions = nodesOf(root, kind).find(([path]) => path === `${kind}.status.conditions[].type`);
        expect(conditions?.[1]).not.to.have.property('enum');
      });

      it('needs no YAML beyond anchors', () => {
        expect(text).not.to.include('<<:');
      });
    });
  }

  it('have one schema for both versions of a policy, so that nothing is converted', async () => {
    const file = new URL('../../../crds/policy.sigstore.dev_clusterimagepolicies.yaml', import.meta.url);
    const { spec } = parse(await readFile(file, 'utf8')) as Crd;
    expect(spec.conversion).to.deep.equal({ strategy: 'None' });
    expect(spec.names.shortNames).to.deep.equal(['cip']);
    expect(spec.versions.map(({ name, served, storage }) => [name, served, storage])).to.deep.equal([
      ['v1alpha1', true, true],
      ['v1beta1', true, false],
    ]);
    expect(spec.versions[1]?.schema).to.deep.equal(spec.versions[0]?.schema);
  });
});
