import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { parseRepository } from '../../../src/model/image-reference.ts';
import { credentialHelperSource } from '../../../src/registry/credential-helper.ts';
import { chainCredentialSources } from '../../../src/registry/credentials.ts';
import {
  dockerConfigFileSource,
  dockerConfigSource,
  findDockerCredentials,
  parseDockerConfig,
  parseDockercfg,
} from '../../../src/registry/docker-config.ts';
import { rejectionOf } from './rejection.ts';
import { soon } from './sample-images.ts';

const auth = (user: string, password = 'p'): { auth: string } => ({
  auth: Buffer.from(`${user}:${password}`).toString('base64'),
});
const config = (auths: object): Uint8Array => Buffer.from(JSON.stringify({ auths }));

describe('docker configs', () => {
  const usersFor = (auths: object, image: string): string[] =>
    findDockerCredentials([parseDockerConfig(config(auths), 'test')], parseRepository(image)).map((found) =>
      found.kind === 'basic' ? found.username : found.kind,
    );

  it('orders by the longest matching path, an exact host before a glob', () => {
    const auths = {
      'harbor.example': auth('host'),
      '*.example': auth('glob'),
      'https://harbor.example/team/app/': auth('app'),
      'harbor.example/team': auth('team'),
      'harbor.example/tea': auth('no prefix of a path'),
      'harbor.example:443': auth('other port'),
      'other.example': auth('other'),
    };
    expect(usersFor(auths, 'harbor.example/team/app')).to.deep.equal(['app', 'team', 'host', 'glob']);
  });

  it('knows Docker Hub by all its names', () => {
    for (const key of [
      'https://index.docker.io/v1/',
      'docker.io',
      'registry-1.docker.io',
      'https://INDEX.docker.io/v2/',
    ]) {
      expect(usersFor({ [key]: auth('hub') }, 'busybox')).to.deep.equal(['hub']);
    }
  });

  for (const [pattern, host, matches] of [
    ['*.dkr.ecr.*.amazonaws.com', '12.dkr.ecr.eu-1.amazonaws.com', true],
    ['*.example', 'a.b.example', false],
    ['reg*ry.example', 'registry.example', true],
    ['reg*gistry.example', 'registry.example', false],
    ['*a*b*.example', 'xaxbx.example', true],
    ['*ab*ab.example', 'xab.example', false],
  ] as const) {
    it(`says that ${pattern} ${matches ? 'matches' : 'does not match'} ${host}`, () => {
      expect(usersFor({ [pattern]: auth('u') }, `${host}/app`)).to.have.length(matches ? 1 : 0);
    });
  }

  it('reads robot accounts, passwords with colons, identity tokens and old dockercfg files', () => {
    const auths = {
      'r.example': auth('robot$team+ci', 'a:b'),
      'i.example': { ...auth('x'), identitytoken: 't' },
    };
    const parsed = parseDockerConfig(config(auths), 'test');
    expect(parsed.entries.map(({ credentials }) => credentials)).to.deep.equal([
      { kind: 'basic', username: 'robot$team+ci', password: 'a:b' },
      { kind: 'identity-token', token: 't' },
    ]);
    const old = parseDockercfg(
      Buffer.from('{"r.example":{"username":"u","password":"p","email":"e"}}'),
      'test',
    );
    expect(old.entries).to.deep.equal([
      { host: 'r.example', path: '', credentials: { kind: 'basic', username: 'u', password: 'p' } },
    ]);
  });

  for (const text of [
    '[]',
    'secret',
    '{"auths":{"a":{"auth":"c2VjcmV0"}}}',
    '{"auths":[]}',
    '{"credsStore":"../x"}',
  ]) {
    it(`refuses ${text} with ERR_REGISTRY_DOCKER_CONFIG and does not repeat it`, () => {
      expect(() => parseDockerConfig(Buffer.from(text), 'team/pull-1'))
        .to.throw(/^the docker config team\/pull-1 is unusable: (?!.*secret)/)
        .with.property('code', 'ERR_REGISTRY_DOCKER_CONFIG');
    });
  }

  it('throws nothing but its own error for any JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseDockerConfig(Buffer.from(text), 'test');
        } catch (error) {
          expect(isAppError(error) && error.code).to.equal('ERR_REGISTRY_DOCKER_CONFIG');
        }
      }),
    );
  });

  describe('as sources', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'docker-'));
    });
    afterEach(() => rm(folder, { recursive: true }));
    const repository = parseRepository('r.example/app');

    it('are asked in turn, and a file is read anew each time', async () => {
      const path = join(folder, 'config.json');
      const secrets = dockerConfigSource([
        parseDockerConfig(config({ 'r.example': auth('secret') }), 'test'),
      ]);
      const source = chainCredentialSources([secrets, dockerConfigFileSource(path)]);
      expect(await source.find(repository, { signal: soon() })).to.have.length(1);
      await writeFile(path, config({ 'r.example': auth('file') }));
      const found = await source.find(repository, { signal: soon() });
      expect(found.map((entry) => entry.kind === 'basic' && entry.username)).to.deep.equal([
        'secret',
        'file',
      ]);
    });

    it('take what a credential helper prints, and nothing where it knows nothing', async () => {
      const path = join(folder, 'config.json');
      const program = join(folder, 'docker-credential-fake');
      const script = `read -r host\n[ "$host" = r.example ] || exit 1\necho '{"Username":"<token>","Secret":"t"}'\n`;
      await writeFile(program, `#!/bin/sh\n${script}`, { mode: 0o755 });
      await writeFile(path, JSON.stringify({ credsStore: 'fake' }));
      const searchPath = process.env['PATH'];
      process.env['PATH'] = `${folder}:${searchPath ?? ''}`;
      try {
        const source = credentialHelperSource(path);
        const found = await source.find(repository, { signal: soon() });
        expect(found).to.deep.equal([{ kind: 'identity-token', token: 't' }]);
        expect(await source.find(parseRepository('o.example/app'), { signal: soon() })).to.deep.equal([]);
      } finally {
        process.env['PATH'] = searchPath;
      }
    });

    it('refuse a helper that is not installed with ERR_REGISTRY_CREDENTIAL_HELPER', async () => {
      const path = join(folder, 'config.json');
      await writeFile(path, JSON.stringify({ credHelpers: { 'r.example': 'not-installed-anywhere' } }));
      const source = credentialHelperSource(path);
      expect((await rejectionOf(source.find(repository, { signal: soon() }))).code).to.equal(
        'ERR_REGISTRY_CREDENTIAL_HELPER',
      );
      expect(await source.find(parseRepository('other.example/app'), { signal: soon() })).to.deep.equal([]);
    });
  });
});
