import { appendFile, mkdtemp, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { FileRunClient } from '../../../src/commands/local/file-run-client.ts';
import { RunCatalogue } from '../../../src/commands/local/run-catalogue.ts';
import { readRunFile } from '../../../src/commands/local/run-file.ts';
import { RunFolder } from '../../../src/commands/local/run-folder.ts';
import { RunStatusFolder } from '../../../src/commands/local/run-status-file.ts';
import type { FoundObject } from '../../../src/commands/wiring/task-run-documents.ts';
import { annotateRun, completeRun } from '../../../src/kube/run-annotations.ts';
import { addRunFinalizer, removeRunFinalizer } from '../../../src/kube/finalizers.ts';
import { resourceTypes } from '../../../src/kube/resource-type.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { soon } from '../registry/sample-images.ts';

const uid = '11111111-0000-4000-8000-000000000001';

function taskRun(metadata: object, rest: object = {}): FoundObject {
  return { kind: 'TaskRun', value: { kind: 'TaskRun', metadata, ...rest } };
}

describe('catalogue of runs in files', () => {
  it('completes what the API server would have filled in, the same way each time', () => {
    const derived = ['x', 'x', 'y'].map((completionTime) => {
      const catalogue = new RunCatalogue();
      catalogue.replace('f', [taskRun({ name: 'a', finalizers: ['z'] }, { status: { completionTime } })]);
      return catalogue.find('default/a')?.metadata;
    });
    expect(derived[0])
      .to.have.property('uid')
      .that.matches(/^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/);
    expect(derived[0]).to.deep.equal(derived[1]).and.not.have.property('finalizers');
    expect(derived[0]?.uid).not.to.equal(derived[2]?.uid);
  });

  it('takes the newer file for one run, and refuses another run of a taken name with ERR_LOCAL_DUPLICATE', () => {
    const catalogue = new RunCatalogue();
    catalogue.replace('old', [taskRun({ name: 'a', uid })]);
    catalogue.replace('new', [taskRun({ name: 'a', uid }, { spec: { params: [] } })]);
    const { keys, faults } = catalogue.replace('other', [taskRun({ name: 'a', uid: 'another' })]);
    expect(catalogue.find('default/a')).to.have.property('spec');
    expect(keys).to.deep.equal([]);
    expect(faults.map(({ code }) => code)).to.deep.equal(['ERR_LOCAL_DUPLICATE']);
  });

  it('forgets what a file held when the file goes or holds something else', () => {
    const catalogue = new RunCatalogue();
    catalogue.replace('f', [taskRun({ name: 'a', uid }), taskRun({ name: 'b', uid })]);
    catalogue.replace('f', [taskRun({ name: 'b', uid })]);
    expect(catalogue.find('default/a')).to.equal(undefined);
    expect(catalogue.remove('f')).to.deep.equal(['default/b']);
  });

  for (const metadata of [
    {},
    { name: '../../etc' },
    { name: 'a/b' },
    { name: 'a', namespace: '..' },
    { name: 7 },
  ]) {
    it(`refuses the metadata ${JSON.stringify(metadata)} with ERR_LOCAL_RUN`, () => {
      const { faults } = new RunCatalogue().replace('f', [taskRun(metadata)]);
      expect(faults.map(({ code }) => code)).to.deep.equal(['ERR_LOCAL_RUN']);
    });
  }
});

describe('runs of files in place of the API server', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-local-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  function clientWith(metadata: object): { client: FileRunClient; catalogue: RunCatalogue } {
    const catalogue = new RunCatalogue();
    catalogue.replace('f', [taskRun({ name: 'a', namespace: 'ci', uid, ...metadata })]);
    return { client: new FileRunClient(catalogue, new RunStatusFolder(folder)), catalogue };
  }
  const ref = { namespace: 'ci', name: 'a' };

  it('keeps annotations in the status file and shows them on the run', async () => {
    const { client } = clientWith({ annotations: { 'chains.tekton.dev/retries': '3', mine: 'x' } });
    const run = await client.get(resourceTypes.taskRuns, ref);
    await annotateRun(client, run, { 'chainwright.dev/error': 'E: x' }, { signal: soon() });
    await completeRun(
      client,
      run,
      {
        'chains.tekton.dev/signed': 'true',
        'chainwright.dev/error': null,
        'chains.tekton.dev/retries': null,
      },
      { signal: soon() },
    );
    const { metadata } = await clientWith({
      annotations: { 'chains.tekton.dev/retries': '3', mine: 'x' },
    }).client.get(resourceTypes.taskRuns, ref);
    expect(metadata.annotations).to.deep.equal({ mine: 'x', 'chains.tekton.dev/signed': 'true' });
    const status = JSON.parse(await readFile(join(folder, 'ci/a.json'), 'utf8')) as { metadata: object };
    expect(status.metadata).to.deep.include({ name: 'a', namespace: 'ci', uid });
  });

  it('shows a run of the same name and another UID without the marks of the first', async () => {
    const { client } = clientWith({});
    await completeRun(
      client,
      await client.get(resourceTypes.taskRuns, ref),
      { 'chains.tekton.dev/signed': 'true' },
      { signal: soon() },
    );
    const second = await clientWith({ uid: 'another' }).client.get(resourceTypes.taskRuns, ref);
    expect(second.metadata.annotations).to.deep.equal({});
  });

  it('takes finalizers without keeping anything', async () => {
    const { client } = clientWith({});
    const run = await client.get(resourceTypes.taskRuns, ref);
    const held = await addRunFinalizer(client, run, { signal: soon() });
    expect(await removeRunFinalizer(client, held, { signal: soon() })).not.to.equal(undefined);
    expect(await new RunStatusFolder(folder).find({ ...ref, uid })).to.equal(undefined);
  });

  it('gives up a write to a run whose file is gone or holds another run', async () => {
    const { client, catalogue } = clientWith({});
    const run = await client.get(resourceTypes.taskRuns, ref);
    catalogue.replace('f', [taskRun({ ...ref, uid: 'another' })]);
    const write = () => completeRun(client, run, { 'chains.tekton.dev/signed': 'true' }, { signal: soon() });
    expect(await write()).to.equal(undefined);
    catalogue.remove('f');
    expect(await write()).to.equal(undefined);
  });

  it('refuses a broken status file with ERR_LOCAL_STATE', async () => {
    const { client } = clientWith({});
    await completeRun(
      client,
      await client.get(resourceTypes.taskRuns, ref),
      { 'chains.tekton.dev/signed': 'true' },
      { signal: soon() },
    );
    await writeFile(join(folder, 'ci/a.json'), '{"metadata":{');
    expect(await rejectionOf(client.get(resourceTypes.taskRuns, ref))).to.have.property(
      'code',
      'ERR_LOCAL_STATE',
    );
  });
});

describe('files of runs', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-files-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });
  const options = () => ({ clock: systemClock, signal: soon() });

  it('are read when nobody has written to them for a while, not half written', async () => {
    const file = join(folder, 'a.yaml');
    await writeFile(file, 'kind: TaskRun\nmetadata:\n  name: a\n');
    const reading = readRunFile(file, options());
    for (const line of ['  namespace: ci\n', '  uid: x\n']) {
      await sleep(150);
      await appendFile(file, line);
    }
    const found = await reading;
    expect(found?.map(({ value }) => value['metadata'])).to.deep.equal([
      { name: 'a', namespace: 'ci', uid: 'x' },
    ]);
  });

  it('are undefined once they are gone', async () => {
    expect(await readRunFile(join(folder, 'none.yaml'), options())).to.equal(undefined);
  });

  it('are refused with ERR_USAGE_TASKRUNS where they hold no YAML', async () => {
    const file = join(folder, 'a.json');
    await writeFile(file, '{"kind":');
    expect(await rejectionOf(readRunFile(file, options()))).to.have.property('code', 'ERR_USAGE_TASKRUNS');
  });

  it('are told when they come, change, are renamed into place and go; other names are left out', async () => {
    const told: string[] = [];
    const tell = (what: string) => (file: string) => told.push(`${what} ${file.slice(folder.length + 1)}`);
    const seen = async (what: string): Promise<void> => {
      for (let tries = 0; tries < 100 && !told.includes(what); tries += 1) await sleep(30);
      expect(told).to.include(what);
      told.length = 0;
    };
    await writeFile(join(folder, 'early.yml'), '');
    const runs = new RunFolder(folder, [join(folder, 'state')]);
    await using watching = await runs.watch(
      { onFile: tell('file'), onGone: tell('gone'), onFault: (error) => told.push(String(error)) },
      { signal: soon() },
    );
    await seen('file early.yml');
    await writeFile(join(folder, 'readme.txt'), '');
    await writeFile(join(folder, '.draft.yaml'), 'x');
    await rename(join(folder, '.draft.yaml'), join(folder, 'a.yaml'));
    await seen('file a.yaml');
    await writeFile(join(folder, '.draft.yaml'), 'longer');
    await rename(join(folder, '.draft.yaml'), join(folder, 'a.yaml'));
    await seen('file a.yaml');
    await unlink(join(folder, 'a.yaml'));
    await seen('gone a.yaml');
    expect(await runs.list()).to.deep.equal([join(folder, 'early.yml')]);
    expect(watching).to.be.an('object');
  });

  it('are refused with ERR_USAGE_FOLDER where there is no such folder', async () => {
    expect(await rejectionOf(new RunFolder(join(folder, 'none'), []).list())).to.have.property(
      'code',
      'ERR_USAGE_FOLDER',
    );
  });
});
