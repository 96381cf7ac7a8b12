import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { resolveSubjects } from '../../../src/attestation/resolve-subjects.ts';
import type { ResolvedImage } from '../../../src/attestation/resolve-subjects.ts';
import { createSbomSource } from '../../../src/attestation/sbom-statements.ts';
import type { PlannedStatement } from '../../../src/attestation/plan-artifacts.ts';
import { mediaTypes } from '../../../src/model/oci.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';
import { openLayoutStore } from '../../../src/registry/oci-layout-store.ts';
import type { GeneratedBom } from '../../../src/sbom/generate-bom.ts';
import { encodeStatement, parseStatement } from '../../../src/statements/statement.ts';
import { parseTaskRun } from '../../../src/tekton/task-run.ts';
import { describeBytes, encode, indexOf, soon } from '../registry/sample-images.ts';
import { systemClock } from '../signing/signed-evidence.ts';
import { appRepository, runObject } from './builds.ts';

const bom = Buffer.from('{"bomFormat":"CycloneDX","specVersion":"1.6"}');
const maker = {
  generate: () =>
    Promise.resolve({ bytes: bom, serialNumber: '', distro: undefined, gaps: [] } as unknown as GeneratedBom),
};

describe('SBOM statements', () => {
  let folder: string;
  let store: ImageStore;
  let read: string[];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'chainwright-sbom-statements-'));
    const layout = await openLayoutStore(folder, systemClock);
    read = [];
    store = new Proxy(layout, {
      get: (target, name) => {
        if (name === 'getManifest') {
          return (...args: Parameters<ImageStore['getManifest']>) => {
            read.push(args[1]);
            return target.getManifest(...args);
          };
        }
        const member = Reflect.get(target, name, target) as unknown;
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function push(architecture: string): Promise<Descriptor> {
    const config = Buffer.from(
      JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [] } }),
    );
    await store.putBlob(appRepository, config, { signal: soon() });
    const manifest = encode({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: describeBytes(config, mediaTypes.ociConfig),
      layers: [],
    });
    await store.putManifest(appRepository, architecture, manifest, { signal: soon() });
    const platform = { os: 'linux', architecture };
    return { ...describeBytes(manifest.bytes, mediaTypes.ociManifest), platform };
  }

  const resolved = async (descriptor: Descriptor): Promise<readonly ResolvedImage[]> => {
    const { digest } = descriptor;
    const image = { repository: appRepository, digest };
    const found = [{ name: 'app', digest: { sha256: digest.slice(7) }, image, sources: [] }];
    return (await resolveSubjects(found, store, { signal: soon() })).images;
  };
  const planned = async (images: readonly ResolvedImage[]): Promise<readonly PlannedStatement[]> => {
    const run = parseTaskRun(runObject({}));
    const { statements, faults } = await createSbomSource(maker).makeStatements(images, store, {
      run,
      signal: soon(),
    });
    expect(faults).to.deep.equal([]);
    return statements;
  };

  it('hold the very bytes of the BOM', async () => {
    const [statement] = await planned(await resolved(await push('amd64')));
    const payload = statement === undefined ? Buffer.alloc(0) : encodeStatement(statement.statement);
    expect(payload.includes(bom)).to.equal(true);
    expect(parseStatement(payload).predicate).to.deep.equal(JSON.parse(bom.toString()));
  });

  it('ask the registry once for the manifest of an image', async () => {
    const image = await push('amd64');
    await planned(await resolved(image));
    expect(read).to.deep.equal([image.digest]);
  });

  it('are one for each platform of an index, attached to its manifest and to the index', async () => {
    const platforms = [await push('amd64'), await push('arm64')];
    const index = indexOf(platforms);
    await store.putManifest(appRepository, 'latest', index, { signal: soon() });
    const top = describeBytes(index.bytes, mediaTypes.ociIndex);
    const statements = await planned(await resolved(top));
    expect(statements.map(({ images }) => images.map(({ digest }) => digest))).to.deep.equal(
      platforms.map(({ digest }) => [digest, top.digest]),
    );
    expect(
      statements.map(({ statement }) =>
        statement.subject.map(({ digest }) => `sha256:${digest['sha256'] ?? ''}`),
      ),
    ).to.deep.equal(platforms.map(({ digest }) => [digest, top.digest]));
  });
});
