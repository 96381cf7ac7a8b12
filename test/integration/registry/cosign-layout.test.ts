import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { formatRepository } from '../../../src/model/image-reference.ts';
import {
  appendAttachments,
  attachmentTag,
  readAttachments,
} from '../../../src/registry/attachments-by-tag.ts';
import { attachBundle } from '../../../src/registry/attachments-by-referrer.ts';
import { pushImage, signatureLayer, soon } from '../../unit/registry/sample-images.ts';
import { StackRegistries } from './stack-registries.ts';
import type { Descriptor } from '../../../src/model/oci.ts';
import type { Repository } from '../../../src/model/image-reference.ts';

const run = promisify(execFile);

describe('the layouts as cosign sees them', () => {
  let registries: StackRegistries;
  let folder: string;
  let repository: Repository;
  let image: Descriptor;

  before(async () => {
    registries = await StackRegistries.open();
    folder = await mkdtemp(join(tmpdir(), 'cosign-'));
  });
  after(async () => {
    await registries.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    repository = registries.fresh('registry');
    image = await pushImage(registries.store(), repository, randomUUID());
  });

  const cosign = async (...args: string[]): Promise<string> => {
    const { env, bin } = registries.stack;
    const { stdout } = await run(join(bin, 'cosign'), args, {
      env: { ...env, HOME: folder },
      timeout: 120_000,
    });
    return stdout;
  };
  const name = (): string => `${formatRepository(repository)}@${image.digest}`;
  const payloadFor = (descriptor: Descriptor): string =>
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': formatRepository(repository) },
        image: { 'docker-manifest-digest': descriptor.digest },
        type: 'cosign container image signature',
      },
      optional: null,
    });

  it('lets cosign verify a signature that we attached', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = join(folder, 'key.pem');
    await writeFile(key, publicKey.export({ type: 'spki', format: 'pem' }));
    const payload = payloadFor(image);
    const signature = sign('sha256', Buffer.from(payload), privateKey).toString('base64');
    const target = { repository, digest: image.digest };
    const layers = [signatureLayer(payload, 'AAAA'), signatureLayer(payload, signature)];
    await appendAttachments(registries.store(), { target, kind: 'sig' }, layers, { signal: soon() });
    const verified = await cosign('verify', '--key', key, '--insecure-ignore-tlog=true', name());
    expect(verified).to.include(image.digest);
  });

  it('writes the manifest that cosign writes, byte for byte', async () => {
    const [payload, signature] = [payloadFor(image), 'c2lnbmF0dXJl'];
    await writeFile(join(folder, 'payload'), payload);
    await writeFile(join(folder, 'signature'), signature);
    await cosign(
      'attach',
      'signature',
      '--payload',
      join(folder, 'payload'),
      '--signature',
      join(folder, 'signature'),
      name(),
    );
    const tag = attachmentTag(image.digest, 'sig');
    const store = registries.store();
    const theirs = await store.getManifest(repository, tag, { signal: soon() });
    const target = { repository: registries.fresh('registry'), digest: image.digest };
    const layer = signatureLayer(payload, signature);
    const { ref } = await appendAttachments(store, { target, kind: 'sig' }, [layer], { signal: soon() });
    const ours = await store.getManifest(target.repository, tag, { signal: soon() });
    expect(Buffer.from(ours!.bytes).toString()).to.equal(Buffer.from(theirs!.bytes).toString());
    expect(ref.endsWith(theirs!.descriptor.digest)).to.equal(true);
  });

  it('lets cosign append to our tag, and appends to cosign’s', async () => {
    const store = registries.store();
    const target = { repository, digest: image.digest };
    const payload = payloadFor(image);
    await appendAttachments(store, { target, kind: 'sig' }, [signatureLayer(payload, 'b25l')], {
      signal: soon(),
    });
    await writeFile(join(folder, 'payload'), `${payload} `);
    await writeFile(join(folder, 'signature'), 'dHdv');
    const [payloadFile, signatureFile] = [join(folder, 'payload'), join(folder, 'signature')];
    await cosign('attach', 'signature', '--payload', payloadFile, '--signature', signatureFile, name());
    await appendAttachments(store, { target, kind: 'sig' }, [signatureLayer(payload, 'dGhyZWU=')], {
      signal: soon(),
    });
    const found = await readAttachments(store, target, 'sig', { signal: soon() });
    const signatures = found.map(({ annotations }) => annotations['dev.cosignproject.cosign/signature']);
    expect(signatures).to.deep.equal(['b25l', 'dHdv', 'dGhyZWU=']);
    const downloaded = await cosign('download', 'signature', name());
    expect(downloaded.trim().split('\n')).to.have.length(3);
  });

  for (const kind of ['registry', 'registryReferrers'] as const) {
    it(`shows cosign a bundle as referrer in the ${kind}`, async () => {
      repository = registries.fresh(kind);
      const store = registries.store();
      image = await pushImage(store, repository, randomUUID());
      const bundle = {
        bytes: Buffer.from('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}'),
        predicateType: 'https://slsa.dev/provenance/v0.2',
        created: new Date(),
      };
      const { ref } = await attachBundle(store, { repository, subject: image }, bundle, { signal: soon() });
      const tree = await cosign('tree', name());
      expect(tree).to.include(ref.slice(ref.indexOf('@') + 1));
    });
  }
});
