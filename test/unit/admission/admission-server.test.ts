import { readFile } from 'node:fs/promises';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { Agent, request } from 'undici';
import type { AdmissionAnswer } from '../../../src/admission/admission-answer.ts';
import { allow } from '../../../src/admission/admission-answer.ts';
import { startAdmissionServer } from '../../../src/admission/admission-server.ts';
import type { AdmissionServer } from '../../../src/admission/admission-server.ts';
import { RequestGate } from '../../../src/admission/request-gate.ts';
import type { ReviewRoute } from '../../../src/admission/review-call.ts';
import type { ServingCertificate } from '../../../src/model/serving-certificate.ts';
import { AppError } from '../../../src/model/errors.ts';
import { silentLog } from '../../../src/model/log.ts';
import { issueAuthority, issueLeaf } from '../../../src/reconcilers/serving-certificate-issue.ts';
import { rejectionOf } from '../registry/rejection.ts';

type Review = ReviewRoute['review'];

const body = (uid = 'u-1'): string =>
  JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: { uid, kind: { group: '', version: 'v1', kind: 'Pod' }, operation: 'CREATE' },
  });

async function certificate(): Promise<ServingCertificate> {
  const authority = await issueAuthority('test', new Date());
  const leaf = await issueLeaf(authority, ['127.0.0.1', 'localhost'], new Date());
  return { ...leaf, authorityPem: authority.certificatePem };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly response?: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: { readonly code: number; readonly message: string };
  };
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

describe('the server of reviews', () => {
  let first: ServingCertificate;
  let second: ServingCertificate;
  let server: AdmissionServer;
  let agent: Agent;
  let took: string[];
  let review: Review;

  before(async () => {
    [first, second] = await Promise.all([certificate(), certificate()]);
  });

  const start = async (gate = new RequestGate(), timeoutMs = 10_000): Promise<void> => {
    took = [];
    server = await startAdmissionServer({
      address: '127.0.0.1:0',
      certificate: first,
      routes: new Map([['/validate', { kind: 'validate', review: (...args) => review(...args) }]]),
      ...{ timeoutMs, gate, log: silentLog },
      metrics: { reviewTook: (kind, outcome) => took.push(`${kind} ${outcome}`) },
    });
    agent = new Agent({ connect: { ca: first.authorityPem } });
  };

  beforeEach(async () => {
    review = () => Promise.resolve(allow());
    await start();
  });
  afterEach(async () => {
    await agent.destroy();
    await server.close({ drainMs: 0 });
  });

  const post = async (text: string, path = '/validate', method = 'POST'): Promise<Answer> => {
    const answer = await request(`https://${server.address}${path}`, {
      ...{ method, dispatcher: agent, body: method === 'POST' ? text : null },
    });
    const answered = await answer.body.text();
    const isJson = answer.headers['content-type'] === 'application/json';
    const parsed = isJson ? (JSON.parse(answered) as Pick<Answer, 'response'>) : {};
    return { status: answer.statusCode, text: answered, headers: answer.headers, ...parsed };
  };

  it('answers a review with its uid', async () => {
    const { status, response } = await post(body('the-uid'));
    expect(status).to.equal(200);
    expect(response).to.deep.equal({ uid: 'the-uid', allowed: true });
    expect(took).to.deep.equal(['validate admitted']);
  });

  const refused: readonly (readonly [string, number, () => Promise<Answer>])[] = [
    ['an unknown path', 404, () => post(body(), '/else')],
    ['another method', 405, () => post('', '/validate', 'GET')],
    ['a body that is no review', 400, () => post('{}')],
    ['a body that is too large', 413, () => post(' '.repeat(8 * 1024 * 1024 + 1))],
  ];
  for (const [what, status, call] of refused) {
    it(`answers ${status} to ${what}`, async () => {
      expect((await call()).status).to.equal(status);
    });
  }

  it('answers 503 without reading when the bodies in work are too large together', async () => {
    await server.close({ drainMs: 0 });
    await start(new RequestGate({ bufferedBytes: 10 }));
    const { status, text } = await post(body());
    expect([status, text]).to.deep.equal([
      503,
      'ERR_ADMISSION_BUSY: the webhook has too much to do: the reviews in work are too large together\n',
    ]);
  });

  it('has a review answered with 500 that threw, and with 503 for a passing fault', async () => {
    const faults = [
      new TypeError('oops'),
      new AppError('ERR_X', 'the registry is away', { kind: 'passing' }),
    ];
    for (const [index, code] of [500, 503].entries()) {
      review = () => Promise.reject(faults[index]!);
      const { status, response } = await post(body());
      expect([status, response?.uid, response?.allowed, response?.status?.code]).to.deep.equal([
        200,
        'u-1',
        false,
        code,
      ]);
    }
    expect(took).to.deep.equal(['validate failed', 'validate failed']);
  });

  it('answers by itself when a review does not heed its deadline', async () => {
    let reason: unknown;
    review = (_request, { signal }) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return new Promise(() => undefined);
    };
    const startedMs = performance.now();
    const { response } = await post(body(), '/validate?timeout=400ms');
    expect(performance.now() - startedMs).to.be.within(190, 9000);
    expect(response?.status).to.deep.include({ code: 503 });
    expect(response?.status?.message).to.match(
      /^nothing was verified: it was not finished within 0\.2 s\. Next: Try again/,
    );
    expect(reason).to.have.property('code', 'ERR_ADMISSION_DEADLINE');
  });

  it('gives what a review found until its deadline', async () => {
    review = (_request, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve({ allowed: false, refusal: { code: 403, message: 'so far' }, warnings: [] });
        });
      });
    const { response } = await post(body(), '/validate?timeout=400ms');
    expect(response?.status).to.include({ code: 403, message: 'so far' });
  });

  it('refuses with 503 what no place is left for', async () => {
    await server.close({ drainMs: 0 });
    await start(new RequestGate({ inWork: 1, waiting: 1 }));
    const { promise, resolve } = Promise.withResolvers<AdmissionAnswer>();
    let entered = 0;
    review = () => {
      entered += 1;
      return promise;
    };
    const answers = [post(body('a')), post(body('b')), post(body('c'))];
    const refusedFirst = await Promise.race(answers);
    expect(refusedFirst.response?.status).to.deep.include({ code: 503 });
    expect(refusedFirst.response?.status?.message).to.include('1 reviews are waiting');
    resolve(allow());
    const all = await Promise.all(answers);
    expect(all.filter(({ response }) => response?.allowed)).to.have.length(2);
    expect(entered).to.equal(2);
  });

  it('shows a new certificate without breaking connections', async () => {
    const shown = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const [host, port] = server.address.split(':');
        const socket = connect(
          { host, port: Number(port), ca: [first.authorityPem, second.authorityPem] },
          () => {
            resolve(`${socket.getProtocol() ?? ''} ${socket.getPeerX509Certificate()?.fingerprint256 ?? ''}`);
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    const before = await shown();
    await post(body());
    server.useCertificate(second);
    const after = await shown();
    expect(before).to.match(/^TLSv1\.3 /);
    expect(after)
      .to.match(/^TLSv1\.3 /)
      .and.not.equal(before);
    expect((await post(body())).status).to.equal(200);
  });

  it('keeps its certificate when the next one is unusable, with ERR_ADMISSION_CERTIFICATE', async () => {
    const using = Promise.resolve().then(() => {
      server.useCertificate({ ...second, keyPem: first.keyPem });
    });
    expect((await rejectionOf(using)).code).to.equal('ERR_ADMISSION_CERTIFICATE');
    expect((await post(body())).status).to.equal(200);
  });

  it('speaks no TLS 1.2', async () => {
    const old = new Agent({ connect: { ca: first.authorityPem, maxVersion: 'TLSv1.2' } });
    const calling = request(`https://${server.address}/validate`, { dispatcher: old });
    expect(
      await calling.then(
        () => 'answered',
        () => 'refused',
      ),
    ).to.equal('refused');
    await old.destroy();
  });

  it('lets reviews under way finish when it is closed, and has callers leave before', async () => {
    const { promise, resolve } = Promise.withResolvers<AdmissionAnswer>();
    const entered = Promise.withResolvers<undefined>();
    server.drain();
    expect((await post(body())).headers['connection']).to.equal('close');
    review = () => {
      entered.resolve(undefined);
      return promise;
    };
    const answering = post(body());
    await entered.promise;
    const closing = server.close({ drainMs: 5000 });
    resolve(allow());
    expect((await answering).response?.allowed).to.equal(true);
    await closing;
    expect(
      await post(body()).then(
        () => 'answered',
        () => 'refused',
      ),
    ).to.equal('refused');
  });

  it('ends reviews that take longer than it may wait', async () => {
    const entered = Promise.withResolvers<undefined>();
    review = () => {
      entered.resolve(undefined);
      return new Promise(() => undefined);
    };
    const answering = post(body()).then(
      () => 'answered',
      () => 'cut off',
    );
    await entered.promise;
    await server.close({ drainMs: 20 });
    expect(await answering).to.equal('cut off');
  });

  it('does not listen where somebody else does: ERR_ADMISSION_LISTEN', async () => {
    const starting = startAdmissionServer({
      ...{ address: server.address, certificate: first, routes: new Map(), timeoutMs: 1000, log: silentLog },
      metrics: { reviewTook: () => undefined },
    });
    expect((await rejectionOf(starting)).code).to.equal('ERR_ADMISSION_LISTEN');
  });

  it('is what the configuration of the cluster calls', async () => {
    const folder = new URL('../../../config/webhook/', import.meta.url);
    const texts = await Promise.all(
      ['validating', 'mutating'].map((name) => readFile(new URL(`${name}.yaml`, folder), 'utf8')),
    );
    const paths = texts.flatMap((text) => [...text.matchAll(/path: (\/[\w-]+)/g)].map(([, path]) => path));
    expect([...new Set(paths)].sort()).to.deep.equal(['/mutate', '/validate', '/validate-policy']);
  });
});
