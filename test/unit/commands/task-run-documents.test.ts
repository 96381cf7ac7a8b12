import { expect } from 'chai';
import fc from 'fast-check';
import { isTaskRun, readObjects } from '../../../src/commands/wiring/task-run-documents.ts';
import { isAppError } from '../../../src/model/errors.ts';

describe('objects of a file with TaskRuns', () => {
  const namesIn = (text: string): unknown[] =>
    readObjects(text, 'runs.yaml').map(({ kind, value }) => [
      kind,
      (value['metadata'] as { name: string }).name,
    ]);

  it('takes every document of a YAML stream, empty ones left out', () => {
    const text = '---\nkind: TaskRun\nmetadata: {name: a}\n---\n---\nkind: Pod\nmetadata: {name: b}\n';
    expect(namesIn(text)).to.deep.equal([
      ['TaskRun', 'a'],
      ['Pod', 'b'],
    ]);
  });

  it('takes the items of lists, also of lists in lists', () => {
    const list = { kind: 'List', items: [{ kind: 'TaskRun', metadata: { name: 'a' } }] };
    const outer = { kind: 'List', items: [list, { kind: 'TaskRun', metadata: { name: 'b' } }] };
    expect(namesIn(JSON.stringify(outer))).to.deep.equal([
      ['TaskRun', 'a'],
      ['TaskRun', 'b'],
    ]);
  });

  it('gives items of a typed list the kind that they do not carry', () => {
    const list = { kind: 'TaskRunList', items: [{ metadata: { name: 'a' } }] };
    expect(namesIn(JSON.stringify(list))).to.deep.equal([['TaskRun', 'a']]);
  });

  it('takes an object without kind for a TaskRun, another kind not', () => {
    const [bare, pod] = readObjects('metadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b}', 'f');
    expect([bare, pod].map((object) => object !== undefined && isTaskRun(object))).to.deep.equal([
      true,
      false,
    ]);
  });

  for (const [what, text] of [
    ['text that is no YAML', 'kind: [TaskRun'],
    ['a key given twice', 'kind: TaskRun\nkind: TaskRun'],
    ['a bare string', 'hello'],
    ['a list at the top', '- kind: TaskRun'],
  ] as const) {
    it(`refuses ${what} with ERR_USAGE_TASKRUNS, in one line that names the file`, () => {
      expect(() => readObjects(text, 'runs.yaml'))
        .to.throw(/^runs\.yaml [^\n]+$/)
        .with.property('code', 'ERR_USAGE_TASKRUNS');
    });
  }

  it('throws nothing but an AppError, whatever the text', () => {
    const pieces = fc.constantFrom(
      'kind: ',
      'List',
      '\n',
      '---\n',
      '{',
      '}',
      '[',
      'items:',
      ' ',
      '- ',
      '&a ',
      '*a',
      '"',
      '!!x ',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 30 }), (parts) => {
        try {
          readObjects(parts.join(''), 'f');
        } catch (error) {
          expect(isAppError(error), String(error)).to.equal(true);
        }
      }),
    );
  });
});
