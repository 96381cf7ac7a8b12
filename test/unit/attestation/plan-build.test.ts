import { expect } from 'chai';
import type { BuildPolicy } from '../../../src/attestation/plan-build.ts';
import { planBuild } from '../../../src/attestation/plan-build.ts';
import { AppError } from '../../../src/model/errors.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { parseStatement } from '../../../src/statements/statement.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { indexOf, pushImage, soon, unknownDigest } from '../registry/sample-images.ts';
import {
  appRepository,
  bothLayouts,
  fileResults,
  imageResults,
  placesOf,
  planOf,
  pushApp,
  runObject,
  toolRepository,
} from './builds.ts';
import { Mishaps } from './mishaps.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import { systemClock } from '../signing/signed-evidence.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

const app = 'harbor.golems.internal/golem-trust/app';

describe('the plan of a build', () => {
  let folder: string;
  let store: ImageStore;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chainwright-plan-'));
    store = await openLayoutStore(folder, systemClock);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function subjectsOf(results: Record<string, string>): Promise<readonly string[]> {
    const { plan } = await planOf(results, store);
    const statement = parseStatement(plan.provenance?.payload ?? Buffer.from(''));
    return statement.subject.map(({ name, digest }) => `${name ?? ''}@sha256:${digest['sha256'] ?? ''}`);
  }

  it('has a signature for each layout and one provenance for both', async () => {
    const image = await pushApp(store);
    const { plan } = await planOf(imageResults(image), store);
    expect(placesOf(plan)).to.deep.equal([
      `signature simple-signing tag ${app}`,
      `signature statement referrer ${app}`,
      `provenance statement tag ${app}`,
      `provenance statement referrer ${app}`,
    ]);
    expect(plan.artifacts.map(({ layout }) => layout)).to.deep.equal(['tag', 'referrer', 'shared']);
    expect(plan.faults).to.deep.equal([]);
  });

  const layoutCases: readonly { layouts: BuildPolicy['layouts']; places: readonly string[] }[] = [
    {
      layouts: ['tag'],
      places: [`signature simple-signing tag ${app}`, `provenance statement tag ${app}`],
    },
    {
      layouts: ['referrer'],
      places: [`signature statement referrer ${app}`, `provenance statement referrer ${app}`],
    },
  ];
  for (const { layouts, places } of layoutCases) {
    it(`keeps to the layout ${layouts.join()} if the settings name it alone`, async () => {
      const image = await pushApp(store);
      const { plan } = await planOf(imageResults(image), store, { ...bothLayouts, layouts });
      expect(placesOf(plan)).to.deep.equal(places);
    });
  }

  it('gathers tags in the evidence repository and leaves referrers with their image', async () => {
    const image = await pushApp(store);
    const evidenceRepository = parseRepository('harbor.golems.internal/golem-trust/evidence');
    const { plan } = await planOf(imageResults(image), store, { ...bothLayouts, evidenceRepository });
    expect(placesOf(plan)).to.deep.equal([
      'signature simple-signing tag harbor.golems.internal/golem-trust/evidence',
      `signature statement referrer ${app}`,
      'provenance statement tag harbor.golems.internal/golem-trust/evidence',
      `provenance statement referrer ${app}`,
    ]);
  });

  it('names a place once if one digest in two repositories shares an evidence repository', async () => {
    const [one, two] = [await pushApp(store), await pushApp(store, 'app', toolRepository)];
    const evidenceRepository = parseRepository('harbor.golems.internal/golem-trust/evidence');
    const { plan } = await planOf({ ...imageResults(one), ...imageResults(two, 'TOOL_') }, store, {
      ...bothLayouts,
      layouts: ['tag'],
      evidenceRepository,
    });
    expect(plan.provenance?.destinations).to.have.lengthOf(1);
    expect(plan.artifacts.filter(({ kind }) => kind === 'signature')).to.have.lengthOf(2);
  });

  it('follows an image index to its platform manifests, and not to BuildKit attestations', async () => {
    const amd = await pushImage(store, appRepository, 'amd64');
    const arm = await pushImage(store, appRepository, 'arm64');
    const buildKit = await pushImage(store, appRepository, 'buildkit');
    const platform = { os: 'unknown', architecture: 'unknown' };
    const index = indexOf([amd, arm, { ...buildKit, platform }]);
    const digest = await store.putManifest(appRepository, 'v1', index, { signal: soon() });
    const results = imageResults({ repository: appRepository, digest });
    const wanted = [digest, amd.digest, arm.digest];
    expect(await subjectsOf(results)).to.deep.equal(wanted.map((each) => `${app}@${each}`));
    const { plan } = await planOf(results, store);
    const signed = plan.artifacts.filter(({ kind, layout }) => kind === 'signature' && layout === 'tag');
    expect(signed.map(({ subject }) => subject)).to.deep.equal(wanted.map((each) => `${app}@${each}`));
    expect(plan.provenance?.destinations).to.have.lengthOf(6);
    expect(plan.provenance?.destinations[0]?.image.descriptor.mediaType).to.equal(mediaTypes.ociIndex);
  });

  it('keeps provenance on the run where a subject is no image', async () => {
    const image = await pushApp(store);
    const { plan } = await planOf({ ...imageResults(image), ...fileResults }, store);
    expect(plan.provenance).to.include({ isKeptOnRun: true });
    expect(plan.provenance?.destinations).to.have.lengthOf(2);
    const { plan: fileOnly } = await planOf(fileResults, store);
    expect(fileOnly.artifacts).to.have.lengthOf(1);
    expect(fileOnly.provenance).to.deep.include({ isKeptOnRun: true, destinations: [] });
  });

  it('keeps provenance on the run alone if the settings say so', async () => {
    const image = await pushApp(store);
    const provenance = { format: 'in-toto', builderId: 'https://builder', inRegistry: false };
    const { plan } = await planOf(imageResults(image), store, {
      ...bothLayouts,
      provenance,
      isKeptOnRun: true,
    });
    expect(plan.provenance).to.deep.include({ isKeptOnRun: true, destinations: [] });
  });

  it('signs images without provenance, and makes provenance without signatures, as the settings say', async () => {
    const results = imageResults(await pushApp(store));
    const { signImages, layouts, isKeptOnRun } = bothLayouts;
    const bare = await planOf(results, store, { signImages, layouts, isKeptOnRun });
    expect(bare.plan.artifacts.map(({ kind }) => kind)).to.deep.equal(['signature', 'signature']);
    const attested = await planOf(results, store, { ...bothLayouts, signImages: false });
    expect(attested.plan.artifacts.map(({ kind }) => kind)).to.deep.equal(['provenance']);
  });

  it('refuses a format that it does not know with ERR_STATEMENT_FORMAT', async () => {
    const provenance = { format: 'slsa/v9', builderId: 'b', inRegistry: true };
    const results = imageResults(await pushApp(store));
    const refusal = await planOf(results, store, { ...bothLayouts, provenance }).catch(
      (error: unknown) => error,
    );
    expect(refusal).to.have.property('code', 'ERR_STATEMENT_FORMAT');
  });

  it('has nothing for a run that failed, whatever its results say', async () => {
    const image = await pushApp(store);
    const run = parseTaskRun(runObject(imageResults(image), { verdict: 'False' }));
    const plan = await planBuild(run, bothLayouts, { store, sources: [], signal: soon() });
    expect(plan).to.deep.equal({ artifacts: [], faults: [] });
  });

  it('leaves an absent image out with ERR_SUBJECT_ABSENT and plans the others', async () => {
    const image = await pushApp(store);
    const results = {
      ...imageResults(image),
      ...imageResults({ repository: toolRepository, digest: unknownDigest }, 'TOOL_'),
    };
    expect(await subjectsOf(results)).to.deep.equal([`${app}@${image.digest}`]);
    const { plan } = await planOf(results, store);
    expect(plan.faults.map(({ code, kind }) => [code, kind])).to.deep.equal([
      ['ERR_SUBJECT_ABSENT', 'permanent'],
    ]);
    expect(plan.artifacts).to.have.lengthOf(3);
  });

  it('reports what is no image manifest with ERR_SUBJECT_UNREADABLE', async () => {
    const { digest } = await store.putBlob(appRepository, Buffer.from('{"schemaVersion":1}'), {
      signal: soon(),
    });
    const { plan } = await planOf(imageResults({ repository: appRepository, digest }), store);
    expect(plan.artifacts).to.deep.equal([]);
    expect(plan.faults.map(({ code }) => code)).to.deep.equal(['ERR_SUBJECT_UNREADABLE']);
  });

  it('reports a result that cannot be read with ERR_TEKTON_RESULT and plans the others', async () => {
    const image = await pushApp(store);
    const broken = { BAD_IMAGE_URL: app, BAD_IMAGE_DIGEST: 'sha256:short' };
    const { plan } = await planOf({ ...imageResults(image), ...broken }, store);
    expect(plan.faults.map(({ code, object }) => [code, object])).to.deep.equal([
      ['ERR_TEKTON_RESULT', 'team/build'],
    ]);
    expect(plan.artifacts).to.have.lengthOf(3);
  });

  it('lets the provenance wait while the registry of a subject is away, and signs the other image', async () => {
    const [one, two] = [await pushApp(store), await pushApp(store, 'tool', toolRepository)];
    const results = { ...imageResults(one), ...imageResults(two, 'TOOL_') };
    const mishaps = new Mishaps();
    mishaps.plan = (_, index) => (index === 1 ? 'fails-before' : undefined);
    const { plan } = await planOf(results, mishaps.wrap('store', store));
    expect(plan.provenance).to.equal(undefined);
    expect(plan.artifacts.map(({ subject }) => subject)).to.deep.equal(
      Array<string>(2).fill(`${app}@${one.digest}`),
    );
    expect(plan.faults.map(({ code }) => code)).to.deep.equal(['ERR_TEST_MISHAP']);
  });

  it('takes bytes that do not match their digest for an ill mirror, which may pass', async () => {
    const image = await pushApp(store);
    const getManifest: ImageStore['getManifest'] = () =>
      Promise.reject(new AppError('ERR_REGISTRY_DIGEST_MISMATCH', 'other bytes came', { kind: 'passing' }));
    const ill: ImageStore = new Proxy(store, {
      get: (target, property) =>
        property === 'getManifest' ? getManifest : (Reflect.get(target, property) as unknown),
    });
    const { plan } = await planOf(imageResults(image), ill);
    expect(plan.faults.map(({ code }) => code)).to.deep.equal(['ERR_REGISTRY_DIGEST_MISMATCH']);
  });

  it('adds the statements and faults of further sources', async () => {
    const image = await pushApp(store);
    const run = parseTaskRun(runObject(imageResults(image)));
    const fault = new AppError('ERR_SBOM_TEST', 'no', { kind: 'permanent' });
    const statement = {
      _type: 'https://in-toto.io/Statement/v0.1' as const,
      subject: [{ name: app, digest: { sha256: image.digest.slice(7) } }],
      predicateType: 'https://cyclonedx.org/bom',
      predicate: {},
    };
    const plan = await planBuild(run, bothLayouts, {
      store,
      signal: soon(),
      sources: [
        {
          makeStatements: (images) =>
            Promise.resolve({
              statements: [{ kind: 'sbom', statement, images, isKeptOnRun: false }],
              faults: [fault],
            }),
        },
      ],
    });
    expect(plan.artifacts.map(({ kind }) => kind)).to.deep.equal([
      'signature',
      'signature',
      'provenance',
      'sbom',
    ]);
    expect(plan.faults).to.deep.equal([fault]);
  });
});
