import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createBomValidator } from '../../src/sbom/bom-validator.ts';
import { listEvidence } from '../support/attached-evidence.ts';
import { attachDocument, builderCycloneDx, builderSpdx } from '../support/builder-sboms.ts';
import { cataloguedPurls, pushCatalogued, pushCataloguedIndex } from '../support/catalogued-image.ts';
import { sha256 } from '../support/images.ts';
import type { PushedImage } from '../support/images.ts';
import { openScene } from '../support/scene.ts';
import type { Scene } from '../support/scene.ts';
import { createCompletedRun, imageResults, waitForMarks, waitUntilSigned } from '../support/task-runs.ts';
import type { RunResult } from '../support/task-runs.ts';

interface Component {
  readonly purl?: string;
  readonly name: string;
}
interface Statement {
  readonly predicateType: string;
  readonly subject: readonly { readonly digest: { readonly sha256: string } }[];
  readonly predicate: {
    readonly metadata?: {
      readonly component?: { readonly version: string };
      readonly properties?: readonly { readonly name: string; readonly value: string }[];
    };
    readonly components?: readonly Component[];
    readonly annotations?: readonly { readonly comment: string }[];
  };
}

/** The statements that cosign verified: one envelope a line. */
const statementsIn = (stdout: string): readonly Statement[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => {
      const { payload } = JSON.parse(line) as { payload: string };
      return JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as Statement;
    });
const purlsOf = ({ predicate }: Statement): readonly string[] =>
  (predicate.components ?? []).flatMap(({ purl }) => purl?.split('?')[0] ?? []).sort();
const isClaim = ({ predicate }: Statement): boolean =>
  predicate.metadata?.properties?.some(({ name }) => name === 'chainwright:claim') === true;

const registries = { harbor: 'registry', 'the referrers registry': 'registryReferrers' } as const;
const run = Date.now().toString(36);

describe('SBOM attestations', () => {
  let scene: Scene;
  let validate: Awaited<ReturnType<typeof createBomValidator>>;

  before(async () => {
    scene = await openScene();
    validate = await createBomValidator();
  });

  after(async () => {
    await scene[Symbol.asyncDispose]();
  });

  const verify = async (ref: string, type: string): Promise<readonly Statement[]> => {
    const { code, stdout, stderr } = await scene.judges.verifyAttestation(ref, type);
    expect(code, stderr).to.equal(0);
    return statementsIn(stdout);
  };

  const sign = async (
    namespace: string,
    name: string,
    image: PushedImage,
    more: readonly RunResult[] = [],
  ): Promise<void> => {
    await createCompletedRun(scene.api, { namespace, name, results: [...imageResults(image), ...more] });
    await waitUntilSigned(scene.api, { namespace, name });
  };

  for (const [registry, key] of Object.entries(registries)) {
    describe(`in ${registry}`, () => {
      let namespace: string;
      let image: PushedImage;

      before(async () => {
        namespace = await scene.namespace('sbom');
        await scene.controller([namespace]);
        image = await pushCatalogued(scene.registry, `${scene.stack[key]}/sbom-app`, run);
        await sign(namespace, 'first', image);
      });

      it('satisfy cosign verify-attestation --type cyclonedx with a valid BOM of what is installed', async () => {
        const [statement, ...others] = await verify(image.ref, 'cyclonedx');
        expect(others).to.deep.equal([]);
        expect(validate(statement?.predicate)).to.deep.equal([]);
        expect(statement?.predicate.metadata?.component?.version).to.equal(image.digest);
        expect(statement === undefined ? [] : purlsOf(statement)).to.deep.equal(cataloguedPurls);
      });

      it('are not attached again by a second run of the same image', async () => {
        const sboms = async (): Promise<readonly string[]> =>
          (await listEvidence(scene.registry, image, image.digest))
            .filter(({ kind }) => kind === 'sbom')
            .map(({ layout, digest }) => `${layout} ${digest}`);
        const earlier = await sboms();
        expect(earlier).to.have.length(2);
        await sign(namespace, 'second', image);
        expect(await sboms()).to.deep.equal(earlier);
      });

      it('are found at an image index and at each of its platforms', async () => {
        const index = await pushCataloguedIndex(scene.registry, `${scene.stack[key]}/sbom-index`, run);
        await sign(namespace, 'index', index);
        const atIndex = await verify(index.ref, 'cyclonedx');
        for (const digest of index.platforms) {
          const [statement] = await verify(`${index.repository}@${digest}`, 'cyclonedx');
          expect(validate(statement?.predicate)).to.deep.equal([]);
          expect(statement?.predicate.metadata?.component?.version).to.equal(digest);
          const subjects = statement?.subject.map((subject) => `sha256:${subject.digest.sha256}`);
          expect(subjects).to.include(digest);
        }
        expect(atIndex).not.to.be.empty;
        for (const statement of atIndex) expect(purlsOf(statement)).to.deep.equal(cataloguedPurls);
      });
    });
  }

  describe("of the builder's own, by setting", () => {
    let namespace: string;

    before(async () => {
      namespace = await scene.namespace('claims');
      await scene.controller([namespace], { settings: { sbom: { builderClaims: 'attest' } } });
    });

    it('are attested separately, marked as a claim, when a result names the blob', async () => {
      const image = await pushCatalogued(scene.registry, `${scene.stack.registry}/sbom-claim`, run);
      const document = builderCycloneDx(image);
      await scene.registry.putBlob(image.repository, document);
      const location = `${image.repository}@${sha256(document)}`;
      await sign(namespace, 'result', image, [{ name: 'SBOM_BLOB_URL', type: 'string', value: location }]);
      const statements = await verify(image.ref, 'cyclonedx');
      const [own, ...otherOwn] = statements.filter((statement) => !isClaim(statement));
      const [claim, ...otherClaims] = statements.filter(isClaim);
      expect([...otherOwn, ...otherClaims]).to.deep.equal([]);
      expect(own === undefined ? [] : purlsOf(own)).to.deep.equal(cataloguedPurls);
      expect(claim?.predicate.components?.map(({ name }) => name)).to.deep.equal(['only-the-builder-knows']);
      const marks = Object.fromEntries(
        (claim?.predicate.metadata?.properties ?? []).map(({ name, value }) => [name, value]),
      );
      expect(marks).to.deep.equal({
        'chainwright:claim': 'builder',
        'chainwright:claim:source': 'result',
        'chainwright:claim:location': location,
        'chainwright:claim:digest': sha256(document),
      });
    });

    it('are attested as a claim when cosign attach sbom put them under the tag', async () => {
      const image = await pushCatalogued(scene.registry, `${scene.stack.registry}/sbom-claim`, `${run}-tag`);
      const folder = await mkdtemp(join(tmpdir(), 'chainwright-attach-'));
      const file = join(folder, 'bom.json');
      await writeFile(file, builderCycloneDx(image));
      const flags = ['--sbom', file, '--type', 'cyclonedx', '--input-format', 'json'];
      const { code, stderr } = await scene.judges.cosign(['attach', 'sbom', ...flags, image.ref]);
      await rm(folder, { recursive: true });
      expect(code, stderr).to.equal(0);
      await sign(namespace, 'tag', image);
      const claims = (await verify(image.ref, 'cyclonedx')).filter(isClaim);
      expect(claims.map(({ predicate }) => predicate.metadata?.properties?.[1]?.value)).to.deep.equal([
        'tag',
      ]);
    });

    it('are attested as SPDX when an SPDX document refers to the image', async () => {
      const image = await pushCatalogued(scene.registry, `${scene.stack.registryReferrers}/sbom-claim`, run);
      await attachDocument(scene.registry, image, builderSpdx(image), 'application/spdx+json');
      await sign(namespace, 'referrer', image);
      const [claim, ...others] = await verify(image.ref, 'spdxjson');
      expect(others).to.deep.equal([]);
      expect(claim?.predicate.annotations?.[0]?.comment).to.include('chainwright:claim=builder');
      expect(await verify(image.ref, 'cyclonedx')).to.have.length(1);
    });

    it('are refused with a clear error when they are about another image', async () => {
      const image = await pushCatalogued(
        scene.registry,
        `${scene.stack.registry}/sbom-claim`,
        `${run}-other`,
      );
      const document = builderCycloneDx({ ...image, digest: sha256('another image') });
      await scene.registry.putBlob(image.repository, document);
      const value = `${image.repository}@${sha256(document)}`;
      await createCompletedRun(scene.api, {
        namespace,
        name: 'mismatch',
        results: [...imageResults(image), { name: 'SBOM_BLOB_URL', type: 'string', value }],
      });
      const { error } = await waitForMarks(
        scene.api,
        { namespace, name: 'mismatch' },
        ({ error: found }) => found !== undefined,
        { what: 'being refused' },
      );
      expect(error).to.match(/^ERR_SBOM_CLAIM_SUBJECT: /);
      expect(
        await verify(image.ref, 'cyclonedx'),
        'what we observed is attested all the same',
      ).to.have.length(1);
    });
  });
});
