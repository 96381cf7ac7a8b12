import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { createBuilderSbomSource } from '../../../src/attestation/builder-sbom-statements.ts';
import type { BuilderSbomOptions } from '../../../src/attestation/builder-sbom-statements.ts';
import { ClaimChecker } from '../../../src/attestation/builder-claim-document.ts';
import type { PlannedStatement } from '../../../src/attestation/plan-artifacts.ts';
import type { ResolvedImage } from '../../../src/attestation/resolve-subjects.ts';
import { digestOf, splitDigest } from '../../../src/model/digest.ts';
import { formatRepository } from '../../../src/model/image-reference.ts';
import type { Repository } from '../../../src/model/image-reference.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import type { JsonObject } from '../../../src/statements/strict-json.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { tar } from '../sbom/tar-fixture.ts';
import { describeBytes, encode, indexOf, soon } from '../registry/sample-images.ts';
import { systemClock } from '../signing/signed-evidence.ts';
import { appRepository, runObject, toolRepository } from './builds.ts';
import { Mishaps } from './mishaps.ts';

const app = formatRepository(appRepository);
const cdxType = 'application/vnd.cyclonedx+json';

const cycloneDx = (digest: string | undefined, more: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: {
        component: { type: 'container', name: 'app', ...(digest === undefined ? {} : { version: digest }) },
      },
      components: [{ type: 'library', name: 'left-pad', version: '1.3.0' }],
      ...more,
    }),
  );
const spdx = (digest: string): object => ({
  spdxVersion: 'SPDX-2.3',
  SPDXID: 'SPDXRef-DOCUMENT',
  dataLicense: 'CC0-1.0',
  name: 'app',
  documentNamespace: 'https://builder.example/1',
  creationInfo: { created: '2026-01-01T00:00:00Z', creators: ['Tool: builder'] },
  documentDescribes: ['SPDXRef-app'],
  packages: [
    {
      SPDXID: 'SPDXRef-app',
      name: 'app',
      downloadLocation: 'NOASSERTION',
      externalRefs: [
        {
          referenceCategory: 'PACKAGE-MANAGER',
          referenceType: 'purl',
          referenceLocator: `pkg:oci/app@${digest.replace(':', '%3A')}?arch=amd64`,
        },
      ],
    },
  ],
});

describe("the builder's own SBOM", () => {
  let folder: string;
  let store: ImageStore;
  let image: ResolvedImage;
  let warnings: string[];
  // A schema takes half a second to compile.
  const checker = new ClaimChecker();

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chainwright-claims-'));
    store = await openLayoutStore(folder, systemClock);
    image = await pushWithFiles({ 'etc/hostname': 'app\n' });
    warnings = [];
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function pushWithFiles(files: Record<string, string>): Promise<ResolvedImage> {
    const layer = tar(files);
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [digestOf(layer)] } }),
    );
    for (const bytes of [layer, config]) await store.putBlob(appRepository, bytes, { signal: soon() });
    const manifest = encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [describeBytes(layer, 'application/vnd.oci.image.layer.v1.tar')],
    });
    const digest = await store.putManifest(appRepository, digestOf(manifest.bytes), manifest, {
      signal: soon(),
    });
    const descriptor = describeBytes(manifest.bytes, mediaTypes.ociManifest);
    return { repository: appRepository, digest, descriptor };
  }

  /** Pushes a document as the layer of an artifact, under a tag or as a referrer of `subject`. */
  async function attach(
    document: Uint8Array,
    {
      layerType = cdxType,
      annotations = {},
      subject,
      tag,
    }: {
      layerType?: string;
      annotations?: Record<string, string>;
      subject?: ResolvedImage;
      tag?: string;
    },
  ) {
    const config = Buffer.from('{}');
    for (const bytes of [config, document]) await store.putBlob(appRepository, bytes, { signal: soon() });
    const manifest = encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: layerType,
      config: describeBytes(config, mediaTypes.emptyConfig),
      layers: [{ ...describeBytes(document, layerType), annotations }],
      ...(subject === undefined ? {} : { subject: subject.descriptor }),
    });
    if (subject === undefined) {
      const reference = tag ?? digestOf(manifest.bytes);
      await store.putManifest(appRepository, reference, manifest, { signal: soon() });
    } else await store.putReferrer(appRepository, manifest, { signal: soon() });
    return describeBytes(manifest.bytes, mediaTypes.ociManifest);
  }

  const tagOf = ({ digest }: ResolvedImage): string => `${digest.replace(':', '-')}.sbom`;

  async function made(
    results: Record<string, string> = {},
    options: Partial<BuilderSbomOptions> = {},
    images: readonly ResolvedImage[] = [image],
  ) {
    const log = { warn: (_: string, fields?: object) => warnings.push(JSON.stringify(fields)) };
    const source = createBuilderSbomSource({ repositories: [], maxBytes: 100_000, log, ...options }, checker);
    const run = parseTaskRun(runObject(results));
    const { statements, faults } = await source.makeStatements(images, store, { run, signal: soon() });
    return { statements, codes: faults.map(({ code }) => code) };
  }

  async function blobResult(document: Uint8Array, repository: Repository = appRepository) {
    const { digest } = await store.putBlob(repository, document, { signal: soon() });
    return { SBOM_BLOB_URL: `${formatRepository(repository)}@${digest}` };
  }

  const predicateOf = (planned: PlannedStatement | undefined): JsonObject => {
    const predicate = planned?.statement.predicate ?? {};
    return predicate instanceof Uint8Array ? {} : predicate;
  };
  const marksOf = ({ statement }: PlannedStatement): Record<string, string> => {
    const { metadata } = statement.predicate as {
      metadata: { properties: { name: string; value: string }[] };
    };
    return Object.fromEntries(metadata.properties.map(({ name, value }) => [name, value]));
  };

  it('is relayed from the blob that SBOM_BLOB_URL names, unchanged but for the marks', async () => {
    const document = cycloneDx(image.digest);
    const { statements, codes } = await made(await blobResult(document));
    expect(codes).to.deep.equal([]);
    const [planned] = statements;
    expect(planned?.statement.subject).to.deep.equal([
      { name: app, digest: { sha256: splitDigest(image.digest).hex } },
    ]);
    expect(planned?.statement.predicateType).to.equal('https://cyclonedx.org/bom');
    expect(planned === undefined ? {} : marksOf(planned)).to.deep.equal({
      'chainwright:claim': 'builder',
      'chainwright:claim:source': 'result',
      'chainwright:claim:location': `${app}@${digestOf(document)}`,
      'chainwright:claim:digest': digestOf(document),
    });
    const original = JSON.parse(document.toString()) as { metadata: object };
    const metadata = { ...(predicateOf(planned)['metadata'] as object), properties: undefined };
    expect(JSON.parse(JSON.stringify({ ...predicateOf(planned), metadata }))).to.deep.equal(original);
  });

  it('is one claim when the result names what lies under the tag', async () => {
    const document = cycloneDx(image.digest);
    await attach(document, { tag: tagOf(image) });
    const { statements } = await made(await blobResult(document));
    expect(statements.map(marksOf).map((marks) => marks['chainwright:claim:source'])).to.deep.equal([
      'result',
    ]);
  });

  it('is relayed from the .sbom tag, which has to name the image', async () => {
    await attach(Buffer.from(JSON.stringify(spdx(image.digest))), {
      tag: tagOf(image),
      layerType: 'text/spdx+json',
    });
    const { statements, codes } = await made();
    expect(statements.map(({ statement }) => statement.predicateType)).to.deep.equal([
      'https://spdx.dev/Document',
    ]);
    const [note] = predicateOf(statements[0])['annotations'] as { comment: string }[];
    expect(note?.comment.split('\n').slice(0, 2)).to.deep.equal([
      'chainwright:claim=builder',
      'chainwright:claim:source=tag',
    ]);
    expect(codes).to.deep.equal([]);
  });

  it('is relayed from a referrer, whose subject tells what it is about', async () => {
    await attach(cycloneDx(undefined), { subject: image });
    const { statements } = await made();
    expect(statements.map(({ images }) => images)).to.deep.equal([[image]]);
  });

  async function pushBuildKitIndex(statementDigest: string): Promise<readonly ResolvedImage[]> {
    const statement = Buffer.from(
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v0.1',
        predicateType: 'https://spdx.dev/Document',
        subject: [{ name: 'pkg:docker/app', digest: { sha256: statementDigest.slice(7) } }],
        predicate: { ...spdx(image.digest), packages: [], documentDescribes: [] },
      }),
    );
    const attestation = await attach(statement, {
      layerType: 'application/vnd.in-toto+json',
      annotations: { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' },
    });
    const encoded = indexOf([
      { ...image.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
      {
        ...attestation,
        platform: { os: 'unknown', architecture: 'unknown' },
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': image.digest,
        },
      },
    ]);
    const digest = await store.putManifest(appRepository, 'multi', encoded, { signal: soon() });
    const descriptor = describeBytes(encoded.bytes, mediaTypes.ociIndex);
    const index = { repository: appRepository, digest, descriptor };
    return [index, { ...image, index }];
  }

  it("is relayed from BuildKit's attestation manifest to the platform that it is about", async () => {
    const images = await pushBuildKitIndex(image.digest);
    const { statements, codes } = await made({}, {}, images);
    expect(codes).to.deep.equal([]);
    expect(statements.map(({ images: targets }) => targets.map(({ digest }) => digest))).to.deep.equal([
      [image.digest],
    ]);
  });

  it("is refused with ERR_SBOM_CLAIM_SUBJECT where BuildKit's statement is about another image", async () => {
    const images = await pushBuildKitIndex(digestOf('another'));
    const { statements, codes } = await made({}, {}, images);
    expect([statements, codes]).to.deep.equal([[], ['ERR_SBOM_CLAIM_SUBJECT']]);
  });

  it('is relayed from the file in the image that the settings name', async () => {
    const file = '/usr/share/sbom/app.cdx.json';
    const held = await pushWithFiles({ 'usr/share/sbom/app.cdx.json': cycloneDx(undefined).toString() });
    const { statements } = await made({}, { file }, [image, held]);
    expect(statements.map(marksOf).map((marks) => marks['chainwright:claim:location'])).to.deep.equal([
      `${app}@${held.digest}:${file}`,
    ]);
  });

  it('is looked for nowhere in a repository that is neither an image’s own nor allowed: ERR_SBOM_CLAIM_LOCATION', async () => {
    const result = await blobResult(cycloneDx(image.digest), toolRepository);
    const mishaps = new Mishaps();
    store = mishaps.wrap('store', store);
    expect((await made(result)).codes).to.deep.equal(['ERR_SBOM_CLAIM_LOCATION']);
    expect(mishaps.steps).not.to.include('store.headBlob');
    const allowed = await made(result, { repositories: [toolRepository] });
    expect([allowed.codes, allowed.statements.length]).to.deep.equal([[], 1]);
  });

  for (const value of ['no reference', `${app}:latest`, `${app}@sha256:12`]) {
    it(`is refused with ERR_SBOM_CLAIM_LOCATION where the result says "${value}"`, async () => {
      expect((await made({ SBOM_BLOB_URL: value })).codes).to.deep.equal(['ERR_SBOM_CLAIM_LOCATION']);
    });
  }

  it('is left alone where the result is empty or the run built no image', async () => {
    expect((await made({ SBOM_BLOB_URL: ' ' })).codes).to.deep.equal([]);
    expect((await made({ SBOM_BLOB_URL: 'no reference' }, {}, [])).codes).to.deep.equal([]);
  });

  it('is refused with ERR_SBOM_CLAIM_ABSENT where the registry does not hold it', async () => {
    const { codes } = await made({ SBOM_BLOB_URL: `${app}@${digestOf('nobody')}` });
    expect(codes).to.deep.equal(['ERR_SBOM_CLAIM_ABSENT']);
  });

  const refused: Record<string, { code: string; document: (digest: string) => Uint8Array }> = {
    'of too many bytes': {
      code: 'ERR_SBOM_CLAIM_TOO_LARGE',
      document: (digest) => cycloneDx(digest, { serialNumber: 'x'.repeat(100_000) }),
    },
    'about another image': {
      code: 'ERR_SBOM_CLAIM_SUBJECT',
      document: () => cycloneDx(digestOf('another')),
    },
    'that names no image': { code: 'ERR_SBOM_CLAIM_SUBJECT', document: () => cycloneDx('1.4.0') },
    'that breaks the schema': {
      code: 'ERR_SBOM_CLAIM_FORMAT',
      document: (digest) => cycloneDx(digest, { components: [{ name: 'typeless' }] }),
    },
    'of an old specification': {
      code: 'ERR_SBOM_CLAIM_FORMAT',
      document: (digest) => cycloneDx(digest, { specVersion: '1.1' }),
    },
    'with marks of its own': {
      code: 'ERR_SBOM_CLAIM_FORMAT',
      document: (digest) =>
        cycloneDx(digest, {
          metadata: {
            component: { type: 'container', name: 'app', version: digest },
            properties: [{ name: 'chainwright:claim', value: 'nobody' }],
          },
        }),
    },
    'with a member twice': {
      code: 'ERR_SBOM_CLAIM_FORMAT',
      document: (digest) =>
        Buffer.from(cycloneDx(digest).toString().replace('{', '{"bomFormat":"CycloneDX",')),
    },
    'of another format': { code: 'ERR_SBOM_CLAIM_FORMAT', document: () => Buffer.from('{"artifacts":[]}') },
    'that is no JSON': { code: 'ERR_SBOM_CLAIM_FORMAT', document: () => Buffer.from('<bom/>') },
    'of SPDX without what is mandatory': {
      code: 'ERR_SBOM_CLAIM_FORMAT',
      document: (digest) => Buffer.from(JSON.stringify({ ...spdx(digest), documentNamespace: '' })),
    },
  };
  for (const [what, { code, document }] of Object.entries(refused)) {
    it(`is refused with ${code} for a document ${what}`, async () => {
      const { statements, codes } = await made(await blobResult(document(image.digest)));
      expect([statements, codes]).to.deep.equal([[], [code]]);
    });
  }

  it('is left out with a warning where somebody who can push left a bad one beside the image', async () => {
    await attach(cycloneDx(digestOf('another')), { subject: image });
    await attach(Buffer.from('nonsense'), { tag: tagOf(image) });
    const { statements, codes } = await made();
    expect([statements, codes]).to.deep.equal([[], []]);
    const codesSeen = warnings.map((line) => (JSON.parse(line) as { code: string }).code);
    expect(codesSeen.sort()).to.deep.equal(['ERR_SBOM_CLAIM_FORMAT', 'ERR_SBOM_CLAIM_SUBJECT']);
  });

  it('is not taken for one where the layer is of another type', async () => {
    await attach(Buffer.from('nonsense'), { subject: image, layerType: 'application/vnd.cyclonedx+xml' });
    await made();
    expect(warnings).to.deep.equal([]);
  });
});
