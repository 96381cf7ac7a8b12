import { expect } from 'chai';
import { findMaterials } from '../../../src/tekton/materials.ts';
import { findSubjects } from '../../../src/tekton/subjects.ts';
import type { FoundSubject } from '../../../src/tekton/subjects.ts';
import { isComplete, parseTaskRun, succeeded } from '../../../src/tekton/task-run.ts';
import { fixtureRuns, formatPinned } from './fixture-runs.ts';

const asExpected = ({ image, attachment, ...subject }: FoundSubject) => ({
  ...subject,
  ...(image === undefined ? {} : { image: formatPinned(image) }),
  ...(attachment === undefined ? {} : { attachment: formatPinned(attachment) }),
});

describe('findings of real-world TaskRuns', () => {
  it('has more than thirty runs to look at', () => {
    expect(fixtureRuns).to.have.length.greaterThan(30);
  });

  for (const { name, expected, object } of fixtureRuns) {
    describe(name, () => {
      const run = parseTaskRun(object);
      const built = findSubjects(run);
      const used = findMaterials(run);

      it('has the verdict of its condition', () => {
        expect({ complete: isComplete(run), succeeded: succeeded(run) }).to.deep.equal({
          complete: expected.complete,
          succeeded: expected.succeeded,
        });
      });

      it('finds the subjects in order with their sources', () => {
        expect(built.subjects.map(asExpected)).to.deep.equal(expected.subjects);
      });

      it('finds the materials in order with their sources', () => {
        expect(used.materials).to.deep.equal(expected.materials);
      });

      it('reports the problems in order', () => {
        const problems = [...built.problems, ...used.problems];
        expect(problems.map(({ code, severity, source }) => ({ code, severity, source }))).to.deep.equal(
          expected.problems.map(({ code, severity, source }) => ({ code, severity, source })),
        );
        for (const [index, { says }] of expected.problems.entries()) {
          expect(problems[index]?.message).to.include(says);
        }
      });
    });
  }
});
