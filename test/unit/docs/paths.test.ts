import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { expect } from 'chai';

const root = new URL('../../../', import.meta.url);
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs/', root)).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));

/** Paths of this repository that a document names: in code marks, and as targets of its links. */
function pathsIn(document: string): readonly string[] {
  const text = readFileSync(new URL(document, root), 'utf8');
  const marked = [...text.matchAll(/`((?:src|test|config|crds|hack)\/[\w./-]*)`/g)].map(
    ([, path = '']) => path,
  );
  const folder = new URL(document, root);
  const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = '']) =>
    new URL(target, folder).pathname.slice(root.pathname.length),
  );
  return [...marked, ...linked];
}

describe('the documents', () => {
  for (const document of documents) {
    it(`name only files that are there: ${document}`, () => {
      const missing = pathsIn(document).filter((path) => !existsSync(new URL(path, root)));
      expect(missing).to.deep.equal([]);
    });
  }
});
