import { readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';
import { isMap, isSeq, parseAllDocuments } from 'yaml';
import type { Document, YAMLMap } from 'yaml';

const root = new URL('../../../', import.meta.url);
const config = new URL('config/', root);

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A row of the table in docs/install.md. */
interface Row {
  readonly role: string;
  readonly where: string;
  readonly resources: string;
  readonly verbs: readonly string[];
  readonly reason: string;
}

function documentsIn(folder: URL): readonly Document[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.yaml'),
  );
  return files
    .sort()
    .flatMap((name): readonly Document[] => [
      ...parseAllDocuments(readFileSync(new URL(name, folder), 'utf8')),
    ]);
}

/** A rule's reason is the comment above it; what stands above the first one belongs to the list, for the parser. */
function rulesOf(document: Document): readonly { readonly rule: Rule; readonly reason: string }[] {
  const rules = document.get('rules');
  if (!isSeq<YAMLMap>(rules)) return [];
  return rules.items.map((item, at) => {
    const comment = item.commentBefore ?? (at === 0 ? rules.commentBefore : undefined) ?? '';
    const reason = comment
      .split('\n')
      .map((line) => line.trim())
      .join(' ');
    return { rule: item.toJS(document) as Rule, reason };
  });
}

function rowsInManifests(): readonly Row[] {
  return documentsIn(config).flatMap((document) => {
    if (!isMap(document.contents) || !['ClusterRole', 'Role'].includes(String(document.get('kind'))))
      return [];
    return rulesOf(document).map(({ rule, reason }) => ({
      role: String(document.getIn(['metadata', 'name'])),
      where:
        document.get('kind') === 'Role' ? String(document.getIn(['metadata', 'namespace'])) : 'everywhere',
      resources: resourcesOf(rule),
      verbs: rule.verbs,
      reason,
    }));
  });
}

function resourcesOf({ apiGroups, resources, resourceNames }: Rule): string {
  const [group = ''] = apiGroups;
  const names = resources.map((resource) => (group === '' ? resource : `${resource}.${group}`)).join(', ');
  return resourceNames === undefined ? names : `${names}: ${resourceNames.join(', ')}`;
}

function rowsInDocument(): readonly Row[] {
  const text = readFileSync(new URL('docs/install.md', root), 'utf8');
  const [, section = ''] = text.split(/^## Rights$/m);
  const [table = ''] = section.split(/^#+ /m);
  return table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, role = '', where = '', resources = '', verbs = '', reason = ''] = line
        .split('|')
        .map((cell) => cell.trim().replaceAll('`', ''));
      return { role, where, resources, verbs: verbs.split(', '), reason };
    });
}

describe('the rights that config/ grants', () => {
  const rows = rowsInManifests();

  it('are those of the table in docs/install.md, with the same reasons', () => {
    expect(rows).to.not.be.empty;
    expect(rowsInDocument()).to.have.deep.members(rows);
  });

  it('have a reason for each verb, by name', () => {
    const unexplained = rows.flatMap(({ role, resources, verbs, reason }) =>
      verbs
        .filter((verb) => !new RegExp(String.raw`\((?:[a-z]+, )*${verb}(?:, [a-z]+)*\)`).test(reason))
        .map((verb) => `${role}: ${verb} ${resources}`),
    );
    expect(unexplained).to.deep.equal([]);
  });

  it('have no wildcard, and one group each', () => {
    const wide = rows.filter(({ resources, verbs }) => resources.includes('*') || verbs.includes('*'));
    expect(wide).to.deep.equal([]);
    const groups = documentsIn(config)
      .flatMap(rulesOf)
      .map(({ rule }) => rule.apiGroups.length);
    expect(new Set(groups)).to.deep.equal(new Set([1]));
  });

  it('allow Secrets to be listed in our own namespace alone', () => {
    const listed = rows.filter(
      ({ resources, verbs }) => resources.includes('secrets') && verbs.includes('list'),
    );
    expect(listed.map(({ where }) => where)).to.deep.equal(['tekton-chains']);
  });
});
