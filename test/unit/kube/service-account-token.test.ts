import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { createServiceAccountTokenSource } from '../../../src/kube/service-account-token.ts';
import type { TokenSource } from '../../../src/kube/service-account-token.ts';
import { VirtualClock } from './virtual-clock.ts';

const signal = new AbortController().signal;

describe('createServiceAccountTokenSource', () => {
  let clock: VirtualClock;
  let requests: unknown[];
  let answer: (count: number) => unknown;
  let source: TokenSource;

  beforeEach(() => {
    clock = new VirtualClock();
    requests = [];
    answer = (count) => ({
      status: {
        token: `token-${count}`,
        expirationTimestamp: new Date(clock.now().getTime() + 600_000).toISOString(),
      },
    });
    source = createServiceAccountTokenSource({
      client: {
        createSubresource: (_type, ref, draft) => {
          requests.push([ref, draft]);
          return Promise.resolve(answer(requests.length));
        },
      },
      namespace: 'tekton-chains',
      serviceAccount: 'tekton-chains-controller',
      audience: 'sigstore',
      clock,
    });
  });

  it('asks for a token of the audience for ten minutes', async () => {
    expect(await source({ signal })).to.equal('token-1');
    expect(requests[0]).to.deep.equal([
      { namespace: 'tekton-chains', name: 'tekton-chains-controller' },
      {
        subresource: 'token',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { audiences: ['sigstore'], expirationSeconds: 600 },
        },
      },
    ]);
  });

  it('keeps a token until 80 % of its life are over', async () => {
    await source({ signal });
    await clock.advance(479_999);
    expect(await source({ signal })).to.equal('token-1');
    await clock.advance(1);
    expect(await source({ signal })).to.equal('token-2');
  });

  it('throws ERR_KUBE_TOKEN for an answer that is no token, without quoting it', async () => {
    answer = () => ({ status: { token: ['s3cret'], expirationTimestamp: 'soon' } });
    const fault: unknown = await source({ signal }).catch((error: unknown) => error);
    expect(isAppError(fault) && fault.code).to.equal('ERR_KUBE_TOKEN');
    expect(JSON.stringify(fault) + String(fault)).to.not.include('s3cret');
  });
});
