import { expect } from 'chai';
import { formatPreview } from '../../../src/commands/preview/preview-text.ts';
import { previewRun } from '../../../src/commands/preview/run-preview.ts';
import type { RunPreview } from '../../../src/commands/preview/run-preview.ts';
import { resolveSettings } from '../../../src/settings/resolution.ts';
import type { SettingsInput } from '../../../src/settings/settings-schema.ts';
import { fixtureRuns } from '../tekton/fixture-runs.ts';

const settingsWith = (flags: SettingsInput = {}) => resolveSettings({ flags }).settings;

function previewOf(name: string, flags: SettingsInput = {}): RunPreview {
  const fixture = fixtureRuns.find((candidate) => candidate.name === name);
  return previewRun(fixture?.object, settingsWith(flags));
}

describe('preview of a run', () => {
  for (const { name, object, expected } of fixtureRuns) {
    const isSigned = expected.succeeded && expected.subjects.length > 0;
    it(`gives ${name} ${isSigned ? 'the statement that it would get' : 'nothing to sign'}`, () => {
      const { outcome, artifacts, problems, subjects } = previewRun(object, settingsWith());
      const provenance = artifacts.find(({ kind }) => kind === 'provenance');
      expect(outcome).to.equal(isSigned ? 'signed' : 'nothing-to-sign');
      expect(provenance?.payload).to.deep.equal(isSigned ? expected.statement : undefined);
      expect(subjects).to.have.length(expected.succeeded ? expected.subjects.length : 0);
      const stated = expected.succeeded ? expected.problems : [];
      expect(problems.map(({ code, severity }) => [code, severity])).to.deep.equal(
        stated.map(({ code, severity }) => [code, severity]),
      );
    });
  }

  it('says which results and containers each subject and material came from', () => {
    const { subjects, materials } = previewOf('buildah');
    expect(subjects.map(({ from }) => from)).to.deep.equal([['results IMAGE_URL + IMAGE_DIGEST']]);
    expect(materials.map(({ from }) => from)).to.deep.equal([['image of step build-and-push']]);
  });

  it('names every place that evidence goes to', () => {
    const hex = '8c43099a8d245bc9bfef3b080662c0ebd189326594e7f5ceef479aa3b8ce903c';
    const name = 'harbor.golems.internal/golem-trust/anvil';
    expect(
      previewOf('buildah').artifacts.map(({ kind, destinations }) => [kind, ...destinations]),
    ).to.deep.equal([
      ['signature', `tag ${name}:sha256-${hex}.sig`],
      ['signature', `referrer of ${name}@sha256:${hex}`],
      ['provenance', `tag ${name}:sha256-${hex}.att`, `referrer of ${name}@sha256:${hex}`],
    ]);
  });

  it('follows the settings: builder id, layouts, evidence repository, no image signatures', () => {
    const { artifacts } = previewOf('buildah', {
      provenance: { builderId: 'https://tekton.golems.internal/chains/v2' },
      signature: { enabled: false },
      storage: { layouts: { referrers: false }, repository: 'oci.golems.internal/evidence' },
    });
    expect(artifacts).to.have.length(1);
    expect(artifacts[0]?.destinations).to.match(/^tag oci\.golems\.internal\/evidence:sha256-.*\.att$/);
    expect(artifacts[0]?.payload).to.have.nested.property(
      'predicate.builder.id',
      'https://tekton.golems.internal/chains/v2',
    );
  });

  it('says of subjects that are no images that the run itself carries their provenance', () => {
    const { artifacts, reason } = previewOf('npm-package');
    expect(reason).to.include('on the run alone');
    expect(artifacts.at(-1)?.destinations.at(-1)).to.match(/^annotations of TaskRun /);
  });

  it('says of a failed run that nothing is signed', () => {
    const { outcome, reason, artifacts } = previewOf('failed');
    expect({ outcome, artifacts }).to.deep.equal({ outcome: 'nothing-to-sign', artifacts: [] });
    expect(reason).to.match(/^it failed \(.+\), so nothing is signed$/);
  });

  it('says of a run without verdict that it is not complete, and of a foreign one who manages it', () => {
    const running = previewRun({ metadata: { name: 'a' } }, settingsWith());
    const foreign = previewRun({ metadata: { name: 'a' }, spec: { managedBy: 'kueue' } }, settingsWith());
    expect(running.reason).to.include('not complete');
    expect(foreign.reason).to.include('managed by kueue');
  });

  it('reports an object that is no TaskRun with ERR_TEKTON_TASKRUN', () => {
    const { outcome, problems } = previewRun(
      { metadata: { name: 'a', namespace: 'ci' }, status: 3 },
      settingsWith(),
    );
    expect(outcome).to.equal('unreadable');
    expect(problems.map(({ code, severity }) => [code, severity])).to.deep.equal([
      ['ERR_TEKTON_TASKRUN', 'error'],
    ]);
  });

  it('lets no control character of a run through to the terminal', () => {
    const results = [
      { name: 'IMAGE_URL', value: '\u001b]0;pwned\u0007' },
      { name: 'IMAGE_DIGEST', value: 'sha256:0' },
    ];
    const conditions = [{ type: 'Succeeded', status: 'True' }];
    const run = { metadata: { name: 'a' }, status: { conditions, results } };
    const text = formatPreview(previewRun(run, settingsWith()));
    expect(text)
      .to.include('pwned')
      .and.not.match(/[^\P{Cc}\n]/u);
  });
});
