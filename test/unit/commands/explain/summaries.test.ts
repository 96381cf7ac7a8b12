import { expect } from 'chai';
import { summarizeBuild } from '../../../../src/commands/explain/build-summary.ts';
import { summarizeSbom } from '../../../../src/commands/explain/sbom-summary.ts';
import type { Statement } from '../../../../src/statements/statement.ts';
import { predicateTypes, statementTypes } from '../../../../src/statements/statement.ts';

const statement = (predicateType: string, predicate: Statement['predicate']): Statement => ({
  ...{ _type: statementTypes.v01, subject: [], predicateType, predicate },
});

describe('what a provenance says of a build', () => {
  it('v0.2: run, builder, definition and sources', () => {
    const summary = summarizeBuild(
      statement(predicateTypes.slsaProvenanceV02, {
        builder: { id: 'https://builder' },
        buildType: 'tekton.dev/v1/TaskRun',
        invocation: {
          configSource: { uri: 'git+https://code/task', digest: { sha1: 'abc' }, entryPoint: 'task.yaml' },
          environment: { labels: { 'tekton.dev/pipelineRun': 'release-7', 'tekton.dev/task': 'build' } },
        },
        metadata: { buildStartedOn: '2026-03-01T00:00:00Z', buildFinishedOn: '2026-03-01T00:01:00Z' },
        materials: [{ uri: 'git+https://code/app', digest: { sha1: 'def' } }],
      }),
    );
    expect(summary).to.deep.include({
      ...{ builderId: 'https://builder', run: 'release-7 (build)', startedAt: '2026-03-01T00:00:00Z' },
      definition: 'git+https://code/task sha1:abc task.yaml',
      sources: [{ uri: 'git+https://code/app', digest: 'sha1:def' }],
    });
  });

  it('v1: the same from its own places', () => {
    const summary = summarizeBuild(
      statement(predicateTypes.slsaProvenanceV1, {
        buildDefinition: {
          buildType: 'b',
          resolvedDependencies: [{ uri: 'u', digest: { sha256: 'd' } }],
        },
        runDetails: { builder: { id: 'https://builder' }, metadata: { invocationId: 'run-1' } },
      }),
    );
    expect(summary).to.deep.include({ builderId: 'https://builder', run: 'run-1', buildType: 'b' });
    expect(summary?.sources).to.deep.equal([{ uri: 'u', digest: 'sha256:d' }]);
  });

  it('nothing is believed to be there: members of any type give empty text', () => {
    const predicate = {
      builder: 7,
      invocation: [],
      materials: 'x',
      metadata: null,
    } as Statement['predicate'];
    expect(summarizeBuild(statement(predicateTypes.slsaProvenanceV02, predicate))).to.deep.include({
      ...{ builderId: '', run: '', definition: '', sources: [] },
    });
    expect(summarizeBuild(statement('https://other', {}))).to.equal(undefined);
  });
});

describe('what an SBOM holds', () => {
  it('CycloneDX: kinds by package URL, licences by id, name or expression', () => {
    const components = [
      { type: 'library', purl: 'pkg:npm/a@1', licenses: [{ license: { id: 'MIT' } }] },
      { type: 'library', purl: 'pkg:npm/b@1', licenses: [{ expression: 'MIT' }] },
      { type: 'operating-system', licenses: [{ license: { name: 'Own' } }] },
      { type: 'library', purl: 7 },
    ];
    const metadata = { tools: { components: [{ name: 'chainwright', version: '1' }] } };
    const bom = { specVersion: '1.6', metadata, components };
    expect(summarizeSbom(statement(predicateTypes.cycloneDx, bom))).to.deep.equal({
      ...{ format: 'CycloneDX 1.6', tool: 'chainwright 1', madeAt: '', components: 4, withoutLicence: 1 },
      types: [
        ['npm', 2],
        ['library', 1],
        ['operating-system', 1],
      ],
      licences: [
        ['MIT', 2],
        ['Own', 1],
      ],
    });
  });

  it('SPDX: what is asserted counts, NOASSERTION does not', () => {
    const externalRefs = [{ referenceType: 'purl', referenceLocator: 'pkg:deb/debian/a@1' }];
    const packages = [
      { licenseConcluded: 'NOASSERTION', licenseDeclared: 'GPL-2.0-only', externalRefs },
      { licenseConcluded: 'NONE' },
    ];
    const document = { spdxVersion: 'SPDX-2.3', creationInfo: { creators: ['Tool: syft'] }, packages };
    const summary = summarizeSbom(statement(predicateTypes.spdx, document));
    expect(summary).to.deep.include({ format: 'SPDX-2.3', tool: 'Tool: syft', withoutLicence: 1 });
    expect(summary?.types).to.deep.equal([
      ['deb', 1],
      ['package', 1],
    ]);
  });
});
