import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { findMaterials } from '../../../src/tekton/materials.ts';
import { distinctImages, findSubjects } from '../../../src/tekton/subjects.ts';
import { isComplete, isOurs, nameOfRun, parseTaskRun, succeeded } from '../../../src/tekton/task-run.ts';
import { fixtureRuns, runWith } from './fixture-runs.ts';

const parsing = (object: unknown) => () => parseTaskRun(object);

describe('parseTaskRun', () => {
  it('keeps labels, annotations, params and results complete and ignores what it does not know', () => {
    const run = parseTaskRun({
      metadata: {
        name: 'r',
        namespace: 'ci',
        labels: { 'a/b': '1' },
        annotations: { c: '' },
        managedFields: [],
      },
      spec: { params: [{ name: 'p', value: ['x'] }], unknown: 1 },
      status: { results: [{ name: 'o', type: 'object', value: { k: 'v' } }] },
    });
    expect(run.metadata.labels).to.deep.equal({ 'a/b': '1' });
    expect(run.metadata.annotations).to.deep.equal({ c: '' });
    expect(run.spec.params).to.deep.equal([{ name: 'p', value: ['x'] }]);
    expect(run.status.results).to.deep.equal([{ name: 'o', value: { k: 'v' } }]);
    expect(run.spec).not.to.have.property('unknown');
  });

  it("keeps a value of no known kind as its JSON text, as Tekton's decoder does", () => {
    const run = runWith({ number: 3, mixed: ['a', 1], nested: { a: { b: 'c' } }, nothing: null });
    expect(run.status.results.map(({ value }) => value)).to.deep.equal([
      '3',
      '["a",1]',
      '{"a":{"b":"c"}}',
      '',
    ]);
  });

  it('reads a run that has no status yet', () => {
    const run = parseTaskRun({ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata: { name: 'r' } });
    expect(isComplete(run)).to.equal(false);
    expect(run.status.steps).to.deep.equal([]);
    expect(nameOfRun(run)).to.equal('r');
  });

  it('takes null for absent, as Go writes empty lists', () => {
    const run = parseTaskRun({
      metadata: { name: 'r', labels: null },
      spec: null,
      status: { steps: null, results: null },
    });
    expect(run.metadata.labels).to.deep.equal({});
    expect(run.status.results).to.deep.equal([]);
  });

  it('names run and field with ERR_TEKTON_TASKRUN', () => {
    const object = {
      metadata: { name: 'r', namespace: 'ci' },
      status: { startTime: 'yesterday', steps: [{ name: 7 }] },
    };
    expect(parsing(object))
      .to.throw(/TaskRun ci\/r .*status\.startTime.*status\.steps\.0\.name/)
      .with.property('code', 'ERR_TEKTON_TASKRUN');
  });

  it('refuses another kind or version with ERR_TEKTON_TASKRUN', () => {
    for (const object of [
      { apiVersion: 'tekton.dev/v1beta1', kind: 'TaskRun', metadata: { name: 'r' } },
      { apiVersion: 'tekton.dev/v1', kind: 'PipelineRun', metadata: { name: 'r' } },
      { metadata: { name: '' } },
      'text',
      undefined,
    ]) {
      expect(parsing(object)).to.throw().with.property('code', 'ERR_TEKTON_TASKRUN');
    }
  });

  it('throws nothing but ERR_TEKTON_TASKRUN and finds in any run that it takes', () => {
    const paths = [
      'metadata',
      'spec',
      'status',
      'results',
      'steps',
      'name',
      'value',
      'params',
      'artifacts',
      'imageID',
    ];
    const key = fc.constantFrom(...paths);
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        fc.string(),
        fc.integer(),
        fc.constant(null),
        tie('list'),
        tie('dict'),
      ),
      list: fc.array(tie('tree'), { maxLength: 3 }),
      dict: fc.dictionary(key, tie('tree'), { maxKeys: 4 }),
    }));
    fc.assert(
      fc.property(tree, (object) => {
        try {
          const run = parseTaskRun(object);
          findSubjects(run);
          findMaterials(run);
        } catch (error) {
          expect(isAppError(error) && error.code).to.equal('ERR_TEKTON_TASKRUN');
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('what a run is', () => {
  const withCondition = (status: string) => runWith({}, { conditions: [{ type: 'Succeeded', status }] });

  it('is complete when Succeeded is True or False', () => {
    expect(['True', 'False', 'Unknown'].map((status) => isComplete(withCondition(status)))).to.deep.equal([
      true,
      true,
      false,
    ]);
    expect(['True', 'False', 'Unknown'].map((status) => succeeded(withCondition(status)))).to.deep.equal([
      true,
      false,
      false,
    ]);
  });

  it('is ours unless somebody else than Tekton manages it', () => {
    const managedBy = (manager: string | undefined) => runWith({}, {}, { managedBy: manager });
    expect(
      [undefined, '', 'tekton.dev/pipeline', 'kueue.x-k8s.io'].map((name) => isOurs(managedBy(name))),
    ).to.deep.equal([true, true, true, false]);
    expect(isOurs(managedBy('kueue.x-k8s.io'), ['kueue.x-k8s.io'])).to.equal(true);
  });
});

describe('distinctImages', () => {
  it('gives an image with two names once', () => {
    const fixture = fixtureRuns.find(({ name }) => name === 'images-in-artifact-outputs');
    const { subjects } = findSubjects(parseTaskRun(fixture?.object));
    expect(subjects.filter(({ image }) => image !== undefined)).to.have.lengthOf(4);
    expect(distinctImages(subjects).map(({ repository }) => repository.path)).to.deep.equal([
      'golem-trust/crumb',
      'golem-trust/bread',
      'golem-trust/roll',
    ]);
  });
});
