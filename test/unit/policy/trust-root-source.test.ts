import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { pack } from 'tar-stream';
import { Agent } from 'undici';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import type { Clock } from '../../../src/model/clock.ts';
import { isAppError } from '../../../src/model/errors.ts';
import { encodePem } from '../../../src/model/signature.ts';
import { formatFieldFaults } from '../../../src/policy/field-fault.ts';
import { parseTrustRootObject } from '../../../src/policy/trust-root-object.ts';
import {
  TrustRootSource,
  loadTrustRootObject,
  openingFaults,
} from '../../../src/policy/trust-root-source.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { TestTufRepository, startTestMirror } from '../../support/tuf-repository.ts';
import type { Publication, TestMirror } from '../../support/tuf-repository.ts';

interface Document {
  readonly tlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly ctlogs: readonly { baseUrl: string; publicKey: { rawBytes: string } }[];
  readonly certificateAuthorities: readonly { certChain: { certificates: { rawBytes: string }[] } }[];
}

const { signal } = new AbortController();
const clockAt = (at: Date): Clock => ({
  now: () => at,
  sleep: () => Promise.reject(new Error('no sleep here')),
});
const clock: Clock = { now: () => new Date(), sleep: () => Promise.reject(new Error('no sleep here')) };
const base64 = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64');
const objectOf = (spec: object): ReturnType<typeof parseTrustRootObject> =>
  parseTrustRootObject({
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name: 'golems' },
    spec,
  });
const faultOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'no fault';
  } catch (error) {
    return isAppError(error) ? `${error.code} ${error.kind}: ${error.message}` : String(error);
  }
};
const past = new Date(Date.now() - 60_000);

describe('a TUF trust root', () => {
  let trustedRoot: Document;
  let good: Publication;
  let dispatcher: Agent;
  before(async () => {
    await using sigstore = await startDevelopmentSigstore();
    trustedRoot = sigstore.trustedRoot as Document;
    good = { targets: { 'trusted_root.json': { bytes: JSON.stringify(trustedRoot) } } };
    dispatcher = new Agent();
  });
  after(() => dispatcher.close());

  const expectTheRoot = ({ material }: TrustRoot): void => {
    expect(material.tlogs.map(({ baseURL }) => baseURL)).to.deep.equal(
      trustedRoot.tlogs.map(({ baseUrl }) => baseUrl),
    );
    expect(material.certificateAuthorities).to.have.length(trustedRoot.certificateAuthorities.length);
  };
  const inObject = async (repository: TestTufRepository, more: object = {}): Promise<object> => ({
    repository: { root: base64(repository.root), mirrorFS: base64(await repository.archive()), ...more },
  });
  const loadFrom = async (repository: TestTufRepository, more: object = {}): Promise<TrustRoot> =>
    loadTrustRootObject(objectOf(await inObject(repository, more)), { clock, signal });

  describe('in the object', () => {
    it('is opened in memory, with and without consistent snapshots, and leaves no files', async () => {
      const before = (await readdir(tmpdir())).filter((name) => name.startsWith('chainwright-tuf-'));
      for (const consistent of [true, false]) {
        expectTheRoot(await loadFrom(new TestTufRepository({ consistent }).publish(good)));
      }
      const after = (await readdir(tmpdir())).filter((name) => name.startsWith('chainwright-tuf-'));
      expect(after.filter((name) => !before.includes(name))).to.deep.equal([]);
    });

    it('is read from the target and the folder that the object names', async () => {
      const targets = { 'my_root.json': { bytes: JSON.stringify(trustedRoot) } };
      const repository = new TestTufRepository().publish({ targets });
      expectTheRoot(await loadFrom(repository, { trustedRootTarget: 'my_root.json' }));
      expect(await faultOf(loadFrom(repository))).to.match(
        /^ERR_TRUST_ROOT permanent: .*neither trusted_root.json/,
      );
      for (const [name, bytes] of [...repository.files]) {
        if (name.startsWith('targets/')) repository.files.set(name.replace('targets/', 'files/'), bytes);
      }
      expectTheRoot(await loadFrom(repository, { trustedRootTarget: 'my_root.json', targets: '/files/' }));
    });

    it('follows newer roots as long as each is signed by the one before', async () => {
      expectTheRoot(
        await loadFrom(new TestTufRepository({ rootKeys: 2 }).rotateRoot().rotateRoot().publish(good)),
      );
      const taken = new TestTufRepository({ rootKeys: 2 }).rotateRoot(1).publish(good);
      expect(await faultOf(loadFrom(taken))).to.match(
        /^ERR_TUF_METADATA permanent: .*root was signed by 1\/2 keys/,
      );
    });

    it('knows the root keys of the public Sigstore instance', async () => {
      const seeds = createRequire(import.meta.url)('@sigstore/tuf/seeds.json') as Record<
        string,
        { 'root.json': string }
      >;
      const root = seeds['https://tuf-repo-cdn.sigstore.dev']?.['root.json'] ?? '';
      // The root is verified first; then there is nothing in the archive.
      expect(await faultOf(loadFrom(new TestTufRepository(), { root }))).to.include(
        'there is no https://archive.invalid/timestamp.json',
      );
      const other = Buffer.from(root, 'base64')
        .toString('utf8')
        .replace(/"expires":\s*"20/, '"expires": "21');
      expect(await faultOf(loadFrom(new TestTufRepository(), { root: base64(other) }))).to.include(
        'root was signed by 0/3 keys',
      );
    });

    it('refuses a root without enough signatures with ERR_TUF_METADATA', async () => {
      const repository = new TestTufRepository({ rootKeys: 2 }).publish(good);
      const root = base64(repository.rootSignedBy(1));
      expect(await faultOf(loadFrom(repository, { root }))).to.match(
        /^ERR_TUF_METADATA .*root was signed by 1\/2/,
      );
    });

    it('refuses metadata of somebody else, and altered metadata and targets, with ERR_TUF_METADATA', async () => {
      const stranger = new TestTufRepository().publish(good);
      for (const role of ['timestamp.json', '1.snapshot.json', '1.targets.json']) {
        const repository = new TestTufRepository().publish(good);
        repository.files.set(role, stranger.files.get(role) ?? Buffer.alloc(0));
        expect(await faultOf(loadFrom(repository)), role).to.match(/^ERR_TUF_METADATA permanent: /);
      }
      const repository = new TestTufRepository().publish(good);
      const [target = ''] = [...repository.files.keys()].filter((name) => name.startsWith('targets/'));
      const altered = Buffer.from(repository.files.get(target) ?? '');
      altered[20] = (altered[20] ?? 0) ^ 1;
      repository.files.set(target, altered);
      expect(await faultOf(loadFrom(repository))).to.match(/^ERR_TUF_METADATA permanent: .*Expected hash/);
    });

    it('refuses a missing file with ERR_TUF_METADATA', async () => {
      for (const role of ['timestamp.json', '1.snapshot.json', '1.targets.json']) {
        const repository = new TestTufRepository().publish(good);
        repository.files.delete(role);
        expect(await faultOf(loadFrom(repository)), role).to.match(
          /^ERR_TUF_METADATA permanent: .*there is no/,
        );
      }
    });

    it('refuses expired metadata with ERR_TUF_EXPIRED', async () => {
      for (const role of ['timestamp', 'snapshot', 'targets'] as const) {
        const repository = new TestTufRepository().publish({ ...good, expires: { [role]: past } });
        expect(await faultOf(loadFrom(repository)), role).to.match(
          /^ERR_TUF_EXPIRED permanent: .*is expired/,
        );
      }
    });

    it('judges expiry by the clock that it is given, with ERR_TUF_EXPIRED', async () => {
      const object = objectOf(await inObject(new TestTufRepository().publish(good)));
      const later = clockAt(new Date(Date.now() + 2 * 24 * 60 * 60 * 1000));
      expect(await faultOf(loadTrustRootObject(object, { clock: later, signal }))).to.match(
        /^ERR_TUF_EXPIRED /,
      );
    });

    it('refuses what is no archive, too large, or names a path outside, with ERR_TUF_ARCHIVE', async () => {
      const repository = new TestTufRepository().publish(good);
      const outside = pack();
      outside.entry({ name: 'repository/../../timestamp.json' }, 'x');
      outside.finalize();
      const archives = {
        'gzip: invalid header': Buffer.concat([Buffer.from([0x1f, 0x8b]), Buffer.alloc(64)]),
        'unexpected EOF': (await repository.archive()).subarray(0, 200),
        'Unexpected end of data': gzipSync(gunzipSync(await repository.archive()).subarray(0, 1200)),
        'unpacks to more than': gzipSync(Buffer.alloc(40 * 1024 * 1024)),
        'content filepath is tainted': gzipSync(await buffer(outside)),
      };
      for (const [why, bytes] of Object.entries(archives)) {
        const found = await faultOf(loadFrom(repository, { mirrorFS: base64(bytes) }));
        expect(found).to.match(/^ERR_TUF_ARCHIVE permanent: failed to uncompress: /);
        expect(found).to.include(why);
      }
    });

    it('wants a folder for temporary files, with ERR_TUF_FOLDER', async () => {
      const { TMPDIR } = process.env;
      process.env['TMPDIR'] = '/proc/none';
      try {
        const found = await faultOf(loadFrom(new TestTufRepository().publish(good)));
        expect(found).to.match(/^ERR_TUF_FOLDER passing: /);
      } finally {
        if (TMPDIR === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = TMPDIR;
      }
    });

    it("is refused at admission in policy-controller's words", async () => {
      const repository = new TestTufRepository().publish(good);
      const options = { clock, signal };
      expect(await openingFaults(objectOf(await inObject(repository)), options)).to.deep.equal([]);
      const broken = await inObject(repository, { mirrorFS: base64(Buffer.from([0x1f, 0x8b, 1, 2])) });
      expect(formatFieldFaults(await openingFaults(objectOf(broken), options))).to.equal(
        'invalid value: failed to construct a TUF client: spec.repository.mirrorFS\nfailed to uncompress: gzip: invalid header',
      );
      const remote = { remote: { root: base64(repository.root), mirror: 'https://mirror.invalid' } };
      expect(await openingFaults(objectOf(remote), options)).to.deep.equal([]);
    });

    it('takes keys and certificates by their usage where there is no trusted_root.json', async () => {
      const pem = (label: 'CERTIFICATE' | 'PUBLIC KEY', raw = ''): string =>
        encodePem(label, Buffer.from(raw, 'base64'));
      const usage = (name: string, uri?: string): object => ({
        sigstore: { usage: name, status: 'Active', uri },
      });
      const chain = trustedRoot.certificateAuthorities[0]?.certChain.certificates ?? [];
      const ed25519 = generateKeyPairSync('ed25519')
        .publicKey.export({ format: 'pem', type: 'spki' })
        .toString();
      const repository = new TestTufRepository().publish({
        targets: {
          'fulcio.crt.pem': {
            bytes: chain.map(({ rawBytes }) => pem('CERTIFICATE', rawBytes)).join('\n'),
            custom: usage('Fulcio', 'https://fulcio.example'),
          },
          'ctfe.pub': {
            bytes: pem('PUBLIC KEY', trustedRoot.ctlogs[0]?.publicKey.rawBytes),
            custom: usage('CTFE'),
          },
          'rekor.pub': {
            bytes: pem('PUBLIC KEY', trustedRoot.tlogs[0]?.publicKey.rawBytes),
            custom: usage('Rekor'),
          },
          'rekor-ed25519.pub': { bytes: ed25519, custom: usage('Rekor', 'https://log.example') },
          'artifact.pub': { bytes: 'something else', custom: usage('Unknown') },
          README: { bytes: 'nothing' },
        },
      });
      const { material } = await loadFrom(repository);
      expect(material.tlogs.map(({ baseURL }) => baseURL)).to.deep.equal([
        'rekor.pub',
        'https://log.example',
        'https://log.example',
      ]);
      expect(material.ctlogs.map(({ baseURL }) => baseURL)).to.deep.equal(['ctfe.pub']);
      expect(material.certificateAuthorities[0]?.certChain).to.have.length(chain.length);
    });
  });

  describe('on a mirror', () => {
    let repository: TestTufRepository;
    let mirror: TestMirror;
    let source: TrustRootSource;
    const sourceOf = ({ root }: TestTufRepository, { url }: TestMirror): TrustRootSource =>
      new TrustRootSource(objectOf({ remote: { root: base64(root), mirror: url } }), { dispatcher, clock });

    beforeEach(async () => {
      repository = new TestTufRepository().publish(good);
      mirror = await startTestMirror(repository.files);
      source = sourceOf(repository, mirror);
    });
    afterEach(() => mirror[Symbol.asyncDispose]());

    it('is fetched, and at the next visit only asked for what is new', async () => {
      expect(source.current).to.equal(undefined);
      const first = await source.refresh({ signal });
      expectTheRoot(first);
      expect(source.current).to.equal(first);
      mirror.asked.length = 0;
      expect((await source.refresh({ signal })).version).to.equal(first.version);
      expect(mirror.asked.filter((path) => !path.startsWith('targets/'))).to.deep.equal([
        '2.root.json',
        'timestamp.json',
      ]);
    });

    it('gives a new version when the repository has one', async () => {
      const first = await source.refresh({ signal });
      const { tlogs, ...rest } = trustedRoot;
      repository.publish({
        targets: { 'trusted_root.json': { bytes: JSON.stringify({ ...rest, tlogs: [...tlogs, ...tlogs] }) } },
      });
      const second = await source.refresh({ signal });
      expect(second.version).not.to.equal(first.version);
      expect(second.material.tlogs).to.have.length(2 * tlogs.length);
    });

    it('never goes back to an older state with ERR_TUF_METADATA, and has nothing to trust then', async () => {
      repository.publish();
      await source.refresh({ signal });
      repository.publish({ version: 1 });
      expect(await faultOf(source.refresh({ signal }))).to.match(
        /^ERR_TUF_METADATA permanent: .*less than current/,
      );
      expect(source.current).to.equal(undefined);
    });

    it('keeps what it has while the mirror is away, with ERR_TUF_UNREACHABLE or ERR_TUF_UNAVAILABLE', async () => {
      const first = await source.refresh({ signal });
      mirror.status = 503;
      expect(await faultOf(source.refresh({ signal }))).to.match(/^ERR_TUF_UNAVAILABLE passing: .*HTTP 503/);
      expect(source.current).to.equal(first);
      await mirror[Symbol.asyncDispose]();
      expect(await faultOf(source.refresh({ signal }))).to.match(/^ERR_TUF_UNREACHABLE passing: /);
      expect(source.current).to.equal(first);
    });

    it('tells a mirror that goes away between two files from one that lies', async () => {
      const files = new Map(repository.files);
      await using half = await startTestMirror({
        get: (name: string) => {
          if (name === '1.snapshot.json') half.status = 502;
          return files.get(name);
        },
      } as ReadonlyMap<string, Uint8Array>);
      expect(await faultOf(sourceOf(repository, half).refresh({ signal }))).to.match(
        /^ERR_TUF_UNAVAILABLE passing: /,
      );
    });

    it('refuses an answer that is longer than it may be with ERR_TUF_METADATA', async () => {
      repository.files.set('timestamp.json', Buffer.alloc(1024 * 1024, 32));
      expect(await faultOf(source.refresh({ signal }))).to.match(
        /^ERR_TUF_METADATA permanent: .*more than 65536 bytes/,
      );
    });

    it('stops waiting when its caller does', async () => {
      mirror.hangs = true;
      const controller = new AbortController();
      const refreshing = source.refresh({ signal: controller.signal });
      setTimeout(() => {
        controller.abort(new Error('enough'));
      }, 50);
      expect(await faultOf(refreshing)).to.equal('Error: enough');
    });

    it('cannot be loaded without a network, with ERR_TRUST_ROOT', async () => {
      const object = objectOf({ remote: { root: base64(repository.root), mirror: mirror.url } });
      expect(await faultOf(loadTrustRootObject(object, { clock, signal }))).to.match(
        /^ERR_TRUST_ROOT permanent: /,
      );
    });
  });
});
