import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { appendAttachments, readAttachments } from '../../../src/registry/attachments-by-tag.ts';
import { attachBundle } from '../../../src/registry/attachments-by-referrer.ts';
import { describeImageStore } from '../../unit/registry/image-store-contract.ts';
import { rejectionOf } from '../../unit/registry/rejection.ts';
import { pushImage, signatureLayer, soon } from '../../unit/registry/sample-images.ts';
import { StackRegistries } from './stack-registries.ts';
import type { ImageStore } from '../../../src/registry/image-store.ts';

for (const kind of ['registry', 'registryReferrers'] as const) {
  describe(`the stack's ${kind === 'registry' ? 'Harbor stand-in' : 'registry with the referrers API'}`, () => {
    let registries: StackRegistries;
    before(async () => {
      registries = await StackRegistries.open();
    });
    after(() => registries.close());

    describeImageStore(() =>
      Promise.resolve({ store: registries.store(), repository: registries.fresh(kind) }),
    );

    it('keeps the layers of two processes that append at the same time', async () => {
      const repository = registries.fresh(kind);
      const other = await StackRegistries.open();
      const stores = [registries.store(), other.store()];
      const { digest } = await pushImage(stores[0]!, repository, randomUUID());
      const target = { repository, digest };
      const append = (store: ImageStore, name: string) =>
        appendAttachments(store, { target, kind: 'sig' }, [signatureLayer('payload', name)], {
          signal: soon(),
        });
      const numbers = [1, 2, 3];
      await Promise.all(
        stores.flatMap((store, writer) => numbers.map((n) => append(store, `${writer}.${n}`))),
      );
      // No registry here has conditional writes: every writer looks again before it calls its work done.
      for (const [writer, store] of stores.entries())
        for (const n of numbers) await append(store, `${writer}.${n}`);
      const found = await readAttachments(stores[0]!, target, 'sig', { signal: soon() });
      const names = found.map(({ annotations }) => annotations['dev.cosignproject.cosign/signature']);
      expect(names).to.have.members(['0.1', '0.2', '0.3', '1.1', '1.2', '1.3']);
      await other.close();
    });

    it('takes few requests for a signature and for a bundle', async () => {
      const repository = registries.fresh(kind);
      const store = registries.store();
      const subject = await pushImage(store, repository, randomUUID());
      const target = { repository, digest: subject.digest };
      // Fetches the token for reading, which is not counted.
      await store.getManifest(repository, subject.digest, { signal: soon() });
      const count = async (task: () => Promise<unknown>): Promise<string[]> => {
        registries.sent.length = 0;
        await task();
        return [...registries.sent];
      };
      const sign = (name: string) => () =>
        appendAttachments(store, { target, kind: 'sig' }, [signatureLayer('payload', name)], {
          signal: soon(),
        });
      const bundle = (text: string) => () =>
        attachBundle(
          store,
          { repository, subject },
          { bytes: Buffer.from(text), predicateType: 'https://example.org/p', created: new Date() },
          { signal: soon() },
        );
      const counts = {
        newTag: await count(sign('one')),
        append: await count(sign('two')),
        again: await count(sign('two')),
        firstBundle: await count(bundle('{"a":1}')),
        nextBundle: await count(bundle('{"a":2}')),
      };
      expect(counts.newTag.length).to.be.at.most(8);
      expect(counts.append.length).to.be.at.most(7);
      expect(counts.again).to.have.length(1);
      expect(counts.nextBundle.length).to.be.at.most(6);
    });
  });
}

describe('access to the Harbor stand-in', () => {
  let registries: StackRegistries;
  before(async () => {
    registries = await StackRegistries.open();
  });
  after(() => registries.close());

  it('refuses a push with a reader’s credentials with ERR_REGISTRY_DENIED', async () => {
    const reader = registries.store(registries.readerConfig);
    const error = await rejectionOf(
      reader.putBlob(registries.fresh('registry'), Buffer.from('x'), { signal: soon() }),
    );
    expect({ code: error.code, kind: error.kind }).to.deep.equal({
      code: 'ERR_REGISTRY_DENIED',
      kind: 'passing',
    });
  });

  it('gives nothing of another’s rights to a store without credentials', async () => {
    const repository = registries.fresh('registry');
    const { digest } = await pushImage(registries.store(), repository, randomUUID());
    const error = await rejectionOf(
      registries.anonymous().getManifest(repository, digest, { signal: soon() }),
    );
    expect(error.code).to.equal('ERR_REGISTRY_DENIED');
  });
});
