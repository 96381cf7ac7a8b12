import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { runCli } from './cli.ts';

const fixtures = resolve(import.meta.dirname, '../../fixtures/taskruns');

interface Printed {
  readonly runs: readonly {
    readonly run: string;
    readonly outcome: string;
    readonly artifacts: { kind: string; payload: object }[];
  }[];
  readonly notes: readonly string[];
}

describe('chainwright preview', () => {
  const preview = (args: readonly string[], input?: string) =>
    runCli(['preview', ...args], { cwd: fixtures, ...(input === undefined ? {} : { input }) });
  const statementOf = async (name: string) =>
    (JSON.parse(await readFile(`${fixtures}/${name}.expected.json`, 'utf8')) as { statement: object })
      .statement;

  it('prints the statement and the reason for each subject and material', async () => {
    const { code, stdout } = await preview(['-f', 'buildah.taskrun.yaml']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/golem-trust\/anvil +sha256:[\da-f]{64} +results IMAGE_URL \+ IMAGE_DIGEST\n/);
    expect(stdout).to.match(/quay\.io\/buildah\/stable +sha256:[\da-f]{64} +image of step build-and-push\n/);
    expect(stdout)
      .to.include('"predicateType": "https://slsa.dev/provenance/v0.2"')
      .and.include('platform manifests');
  });

  for (const format of ['json', 'yaml'] as const) {
    it(`prints the same as ${format}, from a list on standard input`, async () => {
      const texts = await Promise.all(
        ['buildah', 'failed'].map((name) => readFile(`${fixtures}/${name}.taskrun.yaml`, 'utf8')),
      );
      const list = {
        apiVersion: 'v1',
        kind: 'List',
        items: [...texts.map((text) => parse(text) as object), { kind: 'Pod' }],
      };
      const { code, stdout } = await preview(['-f', '-', '--output', format], JSON.stringify(list));
      const { runs, notes } = (format === 'json' ? JSON.parse(stdout) : parse(stdout)) as Printed;
      expect(code).to.equal(0);
      expect(runs.map(({ run, outcome }) => [run, outcome])).to.deep.equal([
        ['ci/buildah-anvil', 'signed'],
        ['ci/failed-test', 'nothing-to-sign'],
      ]);
      expect(runs[0]?.artifacts.find(({ kind }) => kind === 'provenance')?.payload).to.deep.equal(
        await statementOf('buildah'),
      );
      expect(notes.join()).to.include('A Pod was left out');
    });
  }

  it('ends with 1 where a result cannot be read, and prints the rest all the same', async () => {
    const { code, stdout } = await preview(['-f', 'malformed-results.taskrun.yaml']);
    expect(code).to.equal(1);
    expect(stdout)
      .to.match(/^error +ERR_TEKTON_RESULT +/m)
      .and.include('golem-trust/good');
  });

  for (const [what, args, said] of [
    ['no file', [], '--filename'],
    ['a file that is not there', ['-f', 'none.yaml'], 'ERR_USAGE_FILE'],
    ['a file without TaskRuns', ['-f', 'README.md'], 'ERR_USAGE_TASKRUNS'],
    ['an unknown format', ['-f', 'buildah.taskrun.yaml', '--output', 'xml'], 'json'],
    [
      'settings that are none',
      ['-f', 'buildah.taskrun.yaml', '--config', 'buildah.taskrun.yaml'],
      'ERR_SETTINGS_INVALID',
    ],
  ] as const) {
    it(`ends with 2 for ${what}`, async () => {
      const { code, stdout, stderr } = await preview(args);
      expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' });
      expect(stderr).to.include(said);
    });
  }
});
