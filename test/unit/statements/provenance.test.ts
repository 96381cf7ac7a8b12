import { expect } from 'chai';
import { encodeStatement } from '../../../src/statements/statement.ts';
import { getProvenanceBuilder, provenanceFormats } from '../../../src/statements/provenance-formats.ts';
import { buildProvenanceV02 } from '../../../src/statements/slsa-provenance-v02.ts';
import { findMaterials } from '../../../src/tekton/materials.ts';
import { findSubjects } from '../../../src/tekton/subjects.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { fixtureRuns, runWith } from '../tekton/fixture-runs.ts';

const builderId = 'https://tekton.dev/chains/v2';
const encode = (object: unknown) => {
  const run = parseTaskRun(object);
  return encodeStatement(buildProvenanceV02({ run, ...findSubjects(run), ...findMaterials(run), builderId }));
};

describe('buildProvenanceV02', () => {
  for (const { name, expected, object } of fixtureRuns) {
    it(`makes the statement of ${name} field by field`, () => {
      expect(JSON.parse(encode(object).toString())).to.deep.equal(expected.statement);
    });
  }

  it('makes the same bytes again after the run was annotated by signing', () => {
    for (const { name, object } of fixtureRuns) {
      const run = object as { metadata: { annotations?: object } };
      const annotations = {
        ...run.metadata.annotations,
        'chains.tekton.dev/signed': 'true',
        'chainwright.dev/log-entries': '[]',
      };
      const again = { ...run, metadata: { ...run.metadata, annotations } };
      expect(encode(again).equals(encode(object)), name).to.equal(true);
    }
  });

  it('writes times in UTC and whole seconds', () => {
    const run = runWith({}, { startTime: '2026-11-22T20:08:30.999+01:00' });
    const { predicate } = buildProvenanceV02({ run, subjects: [], materials: [], builderId });
    expect(predicate['metadata']).to.have.property('buildStartedOn', '2026-11-22T19:08:30Z');
  });

  it('does not take another unnamed step for one that has a name', () => {
    const taskSpec = { steps: [{ name: 'first', script: 'x' }] };
    const run = runWith({}, { taskSpec, steps: [{ name: 'unnamed-0', imageID: '' }] });
    const { predicate } = buildProvenanceV02({ run, subjects: [], materials: [], builderId });
    expect(predicate['buildConfig']).to.deep.equal({
      steps: [
        { entryPoint: '', arguments: null, environment: { container: 'unnamed-0' }, annotations: null },
      ],
    });
  });
});

describe('getProvenanceBuilder', () => {
  it("knows Chains' names of SLSA v0.2", () => {
    expect(provenanceFormats).to.deep.equal(['in-toto', 'slsa/v1']);
    expect(provenanceFormats.map(getProvenanceBuilder)).to.deep.equal([
      buildProvenanceV02,
      buildProvenanceV02,
    ]);
  });

  it('refuses another format with ERR_STATEMENT_FORMAT', () => {
    expect(() => getProvenanceBuilder('slsa/v2alpha4'))
      .to.throw(/slsa\/v2alpha4/)
      .with.property('code', 'ERR_STATEMENT_FORMAT');
  });
});
