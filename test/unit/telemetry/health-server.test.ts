import { expect } from 'chai';
import { request } from 'undici';
import { isAppError } from '../../../src/model/errors.ts';
import { startHealthServer } from '../../../src/telemetry/health-server.ts';
import type { HealthServer, HealthServerOptions } from '../../../src/telemetry/health-server.ts';

const metrics = { contentType: 'text/plain; version=0.0.4', render: () => Promise.resolve('a_total 1\n') };
const start = (options: Partial<HealthServerOptions> = {}): Promise<HealthServer> =>
  startHealthServer({ address: '127.0.0.1:0', live: {}, ready: {}, metrics, ...options });
const get = async (
  server: HealthServer,
  path: string,
  method: 'GET' | 'POST' | 'HEAD' = 'GET',
): Promise<{ status: number; type: unknown; body: string }> => {
  const { statusCode, headers, body } = await request(`http://${server.address}${path}`, { method });
  return { status: statusCode, type: headers['content-type'], body: await body.text() };
};
const codeOf = async (act: Promise<unknown>): Promise<string | undefined> =>
  act.then(
    () => undefined,
    (error: unknown) => (isAppError(error) ? error.code : String(error)),
  );

describe('telemetry: health server', () => {
  it('tells each check by name, 200 while all is well', async () => {
    await using server = await start({ live: { loop: () => undefined } });
    expect(await get(server, '/healthz')).to.deep.include({ status: 200, body: '[+] loop: ok\nok\n' });
    expect(await get(server, '/readyz?verbose')).to.deep.include({ status: 200, body: 'ok\n' });
  });

  it('answers 503 with the reason of what is wrong, thrown or late', async () => {
    await using server = await start({
      checkDeadlineMs: 50,
      ready: {
        informer: () => 'not synced yet',
        signer: () => Promise.reject(new Error('no token')),
        queue: () => undefined,
        stuck: () => new Promise(() => undefined),
      },
    });
    const { status, body } = await get(server, '/readyz');
    expect(status).to.equal(503);
    expect(body.split('\n')).to.deep.equal([
      '[-] informer: not synced yet',
      '[-] signer: no token',
      '[+] queue: ok',
      '[-] stuck: no answer within 50 ms',
      'failed',
      '',
    ]);
    expect((await get(server, '/healthz')).status).to.equal(200);
  });

  it('asks again each time', async () => {
    let wrong: string | undefined = 'starting';
    await using server = await start({ ready: { start: () => wrong } });
    expect((await get(server, '/readyz')).status).to.equal(503);
    wrong = undefined;
    expect((await get(server, '/readyz')).status).to.equal(200);
  });

  it('serves the metrics with their type, and no body to HEAD', async () => {
    await using server = await start();
    expect(await get(server, '/metrics')).to.deep.equal({
      status: 200,
      type: metrics.contentType,
      body: 'a_total 1\n',
    });
    expect(await get(server, '/metrics', 'HEAD')).to.deep.include({ status: 200, body: '' });
  });

  it('answers 404, 405 and 500 where that is due', async () => {
    const broken = { contentType: 'text/plain', render: () => Promise.reject(new Error('gauge broke')) };
    await using server = await start({ metrics: broken });
    expect((await get(server, '/')).status).to.equal(404);
    expect((await get(server, '/healthz', 'POST')).status).to.equal(405);
    expect(await get(server, '/metrics')).to.deep.include({ status: 500, body: 'gauge broke\n' });
  });

  it('refuses an address that is taken with ERR_HEALTH_LISTEN, one that is none with ERR_HEALTH_ADDRESS', async () => {
    await using server = await start();
    expect(await codeOf(start({ address: server.address }))).to.equal('ERR_HEALTH_LISTEN');
    expect(await codeOf(start({ address: 'nowhere' }))).to.equal('ERR_HEALTH_ADDRESS');
    expect(await codeOf(start({ address: ':99999' }))).to.equal('ERR_HEALTH_ADDRESS');
  });

  it('frees the port when it is closed, also with a connection open, and may be closed twice', async () => {
    const server = await start();
    await get(server, '/healthz');
    await server.close();
    await server.close();
    await using again = await start({ address: server.address });
    expect(again.address).to.equal(server.address);
  });
});
