import { readFile, readdir } from 'node:fs/promises';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';
import { logMonitorSchema } from '../../../src/settings/log-monitor-schema.ts';
import { imagePolicyExceptionSchema } from '../../../src/settings/image-policy-exception.ts';
import { settingsSchema } from '../../../src/settings/settings-schema.ts';
import { signingPolicySchema } from '../../../src/settings/signing-policy.ts';
import { signingRecordSchema } from '../../../src/settings/signing-record-schema.ts';

type Node = Readonly<Record<string, unknown>>;
interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly scope: string;
    readonly names: { readonly kind: string };
    readonly versions: readonly [
      { readonly name: string; readonly schema: { readonly openAPIV3Schema: Node } },
    ];
  };
}

const folder = new URL('../../../crds/', import.meta.url);
const kinds = [
  { file: 'chainwrightconfigs', kind: 'ChainwrightConfig', scope: 'Cluster', schema: settingsSchema },
  { file: 'signingpolicies', kind: 'SigningPolicy', scope: 'Namespaced', schema: signingPolicySchema },
  { file: 'logmonitors', kind: 'LogMonitor', scope: 'Cluster', schema: logMonitorSchema },
  {
    file: 'imagepolicyexceptions',
    kind: 'ImagePolicyException',
    scope: 'Namespaced',
    schema: imagePolicyExceptionSchema,
  },
  { file: 'signingrecords', kind: 'SigningRecord', scope: 'Namespaced', schema: signingRecordSchema },
] as const;

const readCrd = async (name: string): Promise<Crd> =>
  parse(await readFile(new URL(`chainwright.dev_${name}.yaml`, folder), 'utf8')) as Crd;

const rootOf = (crd: Crd): Node => crd.spec.versions[0].schema.openAPIV3Schema;
const specOf = (crd: Crd): Node => (rootOf(crd)['properties'] as Record<string, Node>)['spec'] ?? {};

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What both say in the same way. Not compared: defaults, which the CRD must not have; `additionalProperties: false`,
 * which a structural schema means anyway; the bound that zod gives to every integer; what only Kubernetes knows.
 */
const comparable = (node: Node, isMap = false): Node =>
  Object.fromEntries(
    Object.entries(node).flatMap(([name, value]): [string, unknown][] => {
      if (isMap) return [[name, comparable(value as Node)]];
      if (name === 'default' || name === 'format' || name.startsWith('x-kubernetes-')) return [];
      if (name === 'additionalProperties' && value === false) return [];
      if (name === 'maximum' && value === Number.MAX_SAFE_INTEGER) return [];
      if (name === 'pattern') return [[name, String(value).replaceAll('\\/', '/')]];
      return [[name, isNode(value) ? comparable(value, name === 'properties') : value]];
    }),
  );

const undescribed = (node: Node, path: string): readonly string[] => {
  const parts = Object.entries((node['properties'] ?? {}) as Record<string, Node>);
  const items = isNode(node['items']) ? undescribed(node['items'], `${path}[]`) : [];
  const own = typeof node['description'] === 'string' || path.endsWith('[]') ? [] : [path];
  return [...own, ...items, ...parts.flatMap(([name, part]) => undescribed(part, `${path}.${name}`))];
};

const unbounded = (node: Node, path: string): readonly string[] => {
  const parts = Object.entries((node['properties'] ?? {}) as Record<string, Node>);
  const items = isNode(node['items']) ? unbounded(node['items'], `${path}[]`) : [];
  const bounded =
    (node['type'] !== 'string' || 'enum' in node || 'maxLength' in node) &&
    (node['type'] !== 'array' || 'maxItems' in node);
  return [
    ...(bounded ? [] : [path]),
    ...items,
    ...parts.flatMap(([name, part]) => unbounded(part, `${path}.${name}`)),
  ];
};

describe('crds', () => {
  it('are all known to these tests', async () => {
    const files = (await readdir(folder)).filter((name) => name.startsWith('chainwright.dev_'));
    expect(files).to.have.members(kinds.map(({ file }) => `chainwright.dev_${file}.yaml`));
  });

  for (const { file, kind, scope, schema } of kinds) {
    describe(kind, () => {
      let crd: Crd;
      before(async () => {
        crd = await readCrd(file);
      });

      it('is named and scoped as agreed', () => {
        expect(crd.metadata.name).to.equal(`${file}.chainwright.dev`);
        expect(crd.spec.names.kind).to.equal(kind);
        expect(crd.spec.scope).to.equal(scope);
        expect(crd.spec.versions.map(({ name }) => name)).to.deep.equal(['v1alpha1']);
      });

      it('has the fields, rules and descriptions of the schema that the code checks with', () => {
        const spec = comparable(specOf(crd));
        const ours = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Node;
        expect(spec).to.deep.equal({ ...comparable(ours), description: spec['description'] });
      });

      it('describes every property', () => {
        expect(typeof rootOf(crd)['description']).to.equal('string');
        expect(undescribed(specOf(crd), 'spec')).to.deep.equal([]);
      });

      it('bounds every text and list', () => {
        expect(unbounded(specOf(crd), 'spec')).to.deep.equal([]);
      });

      it('has no defaults', () => {
        expect(JSON.stringify(specOf(crd))).not.to.include('"default":');
      });
    });
  }
});
