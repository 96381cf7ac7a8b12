import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { z } from 'zod';
import { chainsKeys } from '../../../src/settings/chains-config-keys.ts';
import { environmentVariables } from '../../../src/settings/environment.ts';
import { settingsSchema } from '../../../src/settings/settings-schema.ts';
import { signingPolicySchema } from '../../../src/settings/signing-policy.ts';

interface Node {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly default?: unknown;
}

/** Rows of the first table below `heading`: cells without their padding and backticks. */
const tableBelow = (text: string, heading: string): readonly (readonly string[])[] => {
  const section = text
    .slice(text.indexOf(`\n${heading}\n`))
    .split('\n')
    .slice(2);
  const start = section.findIndex((line) => line.startsWith('|'));
  const end = section.findIndex((line, index) => index > start && !line.startsWith('|'));
  return section.slice(start + 2, end === -1 ? undefined : end).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
};

const leaves = (node: Node, path = ''): readonly (readonly [string, unknown])[] => {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([name, part]) =>
      leaves(part, path === '' ? name : `${path}.${name}`),
    );
  }
  return node.items?.properties === undefined ? [[path, node.default]] : leaves(node.items, `${path}[]`);
};

const leavesOf = (schema: z.ZodType): readonly (readonly [string, unknown])[] =>
  leaves(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }) as Node);

const written = (value: unknown): string => {
  if (value === undefined) return '–';
  return Array.isArray(value) ? `[${value.join(', ')}]` : JSON.stringify(value).replaceAll('"', '');
};

describe('docs/settings.md', () => {
  let text = '';
  before(async () => {
    text = await readFile(new URL('../../../docs/settings.md', import.meta.url), 'utf8');
  });

  it('lists every field with its default, in the order of the schema', () => {
    const rows = tableBelow(text, '## Fields');
    expect(rows.map(([field, , value]) => [field, value])).to.deep.equal(
      leavesOf(settingsSchema).map(([path, value]) => [path, written(value)]),
    );
  });

  it('gives each field a meaning and an example', () => {
    for (const [field, meaning, , example] of tableBelow(text, '## Fields')) {
      expect(meaning, field).to.not.equal('');
      expect(example, field).to.not.equal('');
    }
  });

  it('lists every field of a SigningPolicy', () => {
    const fields = tableBelow(text, "## A team's own rules").map(([field]) => field);
    expect(fields).to.deep.equal(leavesOf(signingPolicySchema).map(([path]) => path));
  });

  it('lists every environment variable', () => {
    const rows = tableBelow(text, '## Who wins');
    expect(rows.map(([name, field]) => [name, field?.split(',')[0]])).to.deep.equal(
      environmentVariables.map(({ name, path }) => [name, path]),
    );
  });

  it('lists every key of chains-config with what becomes of it', () => {
    const rows = tableBelow(text, '## Coming from Tekton Chains');
    expect(rows.map(([key, treatment]) => [key, treatment])).to.deep.equal(
      chainsKeys.map(({ key, treatment }) => [key, treatment]),
    );
  });
});
