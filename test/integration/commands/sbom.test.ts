import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openStack } from '../../../hack/stack/stack.ts';
import type { Stack } from '../../../hack/stack/stack.ts';
import { createBomValidator } from '../../../src/sbom/bom-validator.ts';
import { cataloguedPurls, pushCatalogued, pushCataloguedIndex } from '../../support/catalogued-image.ts';
import type { PushedImage } from '../../support/images.ts';
import { freePort } from '../../support/free-port.ts';
import { RegistrySession } from '../../support/registry-session.ts';
import { runCli } from './cli.ts';
import type { CliOutcome } from './cli.ts';

interface Bom {
  readonly metadata: { readonly component: { readonly version: string } };
  readonly components: readonly {
    readonly purl?: string;
    readonly version?: string;
    readonly type: string;
  }[];
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

describe('chainwright sbom', () => {
  let stack: Stack;
  let session: RegistrySession;
  let folder: string;
  let image: PushedImage;
  let index: PushedImage;

  before(async () => {
    stack = await openStack();
    session = await RegistrySession.open({ ca: stack.ca, account: stack.robot });
    folder = await mkdtemp(join(tmpdir(), 'chainwright-sbom-cli-'));
    const repository = `${stack.registry}/sbom-cli`;
    image = await pushCatalogued(session, repository, 'cli');
    index = await pushCataloguedIndex(session, repository, 'cli');
    const manifest = await session.findManifest(repository, image.digest);
    await session.putManifest(repository, manifest ?? Buffer.alloc(0), manifestType, 'cli');
  });

  after(async () => {
    await session[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const sbom = (args: readonly string[], env: Record<string, string> = {}): Promise<CliOutcome> =>
    runCli(['sbom', ...args], {
      cwd: folder,
      env: { SSL_CERT_FILE: stack.ca, DOCKER_CONFIG: stack.env['DOCKER_CONFIG'] ?? '', ...env },
    });
  const purlsIn = (stdout: string): readonly string[] =>
    (JSON.parse(stdout) as Bom).components.flatMap(({ purl }) => purl?.split('?')[0] ?? []).sort();

  it('prints the BOM of a tagged image and nothing else, the same each time', async () => {
    const [first, second] = await Promise.all(
      [`${image.repository}:cli`, image.ref].map((ref) => sbom([ref])),
    );
    expect([first?.code, first?.stderr]).to.deep.equal([0, '']);
    expect(first?.stdout).to.equal(second?.stdout);
    const bom = JSON.parse(first?.stdout ?? '') as Bom;
    expect((await createBomValidator())(bom)).to.deep.equal([]);
    expect(bom.metadata.component.version).to.equal(image.digest);
    expect(purlsIn(first?.stdout ?? '')).to.deep.equal(cataloguedPurls);
  });

  it('prints a table for people', async () => {
    const { code, stdout } = await sbom([image.ref, '--output', 'table']);
    expect(code).to.equal(0);
    expect(stdout).to.match(/on debian-12: 5 components, 2 deb, 1 npm, 1 operating-system, 1 pypi\n/);
    expect(stdout).to.match(
      /\nnpm +left-pad +1\.3\.0 +WTFPL +\/app\/node_modules\/left-pad\/package\.json\n/,
    );
  });

  it('reads the platform of an index that is asked for, or all of them', async () => {
    const [, arm = ''] = index.platforms;
    const one = await sbom([index.ref, '--platform', 'linux/arm64']);
    expect((JSON.parse(one.stdout) as Bom).metadata.component.version).to.equal(arm);
    const all = await sbom([index.ref, '--platform', 'all']);
    const bom = JSON.parse(all.stdout) as Bom;
    expect(bom.metadata.component.version).to.equal(index.digest);
    expect((await createBomValidator())(bom)).to.deep.equal([]);
    const containers = bom.components.filter(({ type }) => type === 'container');
    expect(containers.map(({ version }) => version)).to.have.members([...index.platforms]);
  });

  it('asks the credential helper that the docker config names', async () => {
    const helper = join(folder, 'bin', 'docker-credential-stack');
    await mkdir(join(folder, 'bin'), { recursive: true });
    const { user, password } = stack.robot;
    const answer = JSON.stringify({ Username: user, Secret: password });
    await writeFile(helper, `#!/bin/sh\ncat > /dev/null\ncat <<'END'\n${answer}\nEND\n`);
    await chmod(helper, 0o755);
    const [host = ''] = stack.registry.split('/');
    await mkdir(join(folder, 'docker'), { recursive: true });
    await writeFile(
      join(folder, 'docker', 'config.json'),
      JSON.stringify({ credHelpers: { [host]: 'stack' } }),
    );
    const env = {
      DOCKER_CONFIG: join(folder, 'docker'),
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    };
    const { code, stdout, stderr } = await sbom([image.ref], env);
    expect(code, stderr).to.equal(0);
    expect(purlsIn(stdout)).to.deep.equal(cataloguedPurls);
  });

  const refusals: Record<string, { args: () => Promise<string[]> | string[]; exit: number; code: string }> = {
    'an absent image': { args: () => [`${image.repository}:absent`], exit: 1, code: 'ERR_SBOM_IMAGE_ABSENT' },
    'a platform that there is not': {
      args: () => [index.ref, '--platform', 'linux/s390x'],
      exit: 2,
      code: 'ERR_USAGE_PLATFORM',
    },
    'something that is no image': { args: () => ['not an image'], exit: 2, code: 'ERR_USAGE_IMAGE' },
    'a registry that is away': {
      args: async () => [`127.0.0.1:${await freePort()}/a/b:1`],
      exit: 3,
      code: 'ERR_REGISTRY_UNREACHABLE',
    },
  };
  for (const [what, { args, exit, code }] of Object.entries(refusals)) {
    it(`ends with exit code ${exit} and ${code} for ${what}, printing no data`, async () => {
      const outcome = await sbom(await args());
      expect([outcome.code, outcome.stdout]).to.deep.equal([exit, '']);
      expect(outcome.stderr).to.match(new RegExp(`^${code}: `));
    });
  }
});
