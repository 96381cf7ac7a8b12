import { createPrivateKey, hash, webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { Server, ServerOptions } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
// @peculiar/x509 does not load without it.
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { expect } from 'chai';
import { Agent } from 'undici';
import type { AppError } from '../../../src/model/errors.ts';
import { fetchRemotePolicy } from '../../../src/policy/remote-policy.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { soon } from '../registry/sample-images.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

describe('a policy that lies elsewhere', () => {
  const text = 'predicate: builder: id: =~"^https://"\n';
  const sha256sum = hash('sha256', text);
  const answers = new Map<string, Answer>();
  let server: Server;
  let trusting: Agent;
  let url = '';

  before(async () => {
    const certificate = await serverCertificate();
    server = createServer(certificate, (request, response) => {
      const answer = answers.get(request.url ?? '');
      if (answer === undefined) response.writeHead(404).end();
      else answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `https://localhost:${(server.address() as AddressInfo).port}`;
    trusting = new Agent({ connect: { ca: certificate.cert as string, autoSelectFamily: true } });
  });
  after(async () => {
    await trusting.destroy();
    server.close();
    server.closeAllConnections();
  });

  const says = (path: string, body: string | Buffer): string => {
    answers.set(path, (_, response) => response.end(body));
    return `${url}${path}`;
  };
  const redirects = (path: string, location: string, status = 302): string => {
    answers.set(path, (_, response) => response.writeHead(status, { location }).end());
    return `${url}${path}`;
  };
  const fetch = (address: string, sum = sha256sum, dispatcher = trusting): Promise<string> =>
    fetchRemotePolicy({ url: address, sha256sum: sum }, { dispatcher, signal: soon() });
  const faultOf = async (...args: Parameters<typeof fetch>): Promise<AppError> => {
    const fault = await rejectionOf(fetch(...args));
    expect(fault.code).to.equal('ERR_POLICY_REFERENCE');
    return fault;
  };

  it('is fetched over https and compared with its SHA-256, in either case', async () => {
    const address = says('/policy.cue', text);
    expect(await fetch(address)).to.equal(text);
    expect(await fetch(address, sha256sum.toUpperCase())).to.equal(text);
  });

  it("is refused with policy-controller's words where the content is another", async () => {
    const { message, kind } = await faultOf(says('/policy.cue', 'other'));
    expect(kind).to.equal('permanent');
    expect(message).to.include(
      `failed to check sha256sum from policy remote: ${sha256sum} got ${hash('sha256', 'other')}`,
    );
  });

  it('is not fetched from a server that the dispatcher does not trust: ERR_POLICY_REFERENCE', async () => {
    const stranger = new Agent();
    expect((await faultOf(says('/policy.cue', text), sha256sum, stranger)).kind).to.equal('passing');
    await stranger.destroy();
  });

  it('is followed to where https redirects to, five times at most', async () => {
    says('/end', text);
    for (const status of [301, 302, 303, 307, 308]) {
      expect(await fetch(redirects('/begin', '/end', status))).to.equal(text);
    }
    expect(await fetch(redirects('/absolute', `${url}/end`))).to.equal(text);
    const { message } = await faultOf(redirects('/circle', '/circle'));
    expect(message).to.include('redirects more than 5 times');
  });

  it('is not followed to what is no https address', async () => {
    for (const location of ['http://localhost/policy', 'file:///etc/passwd', 'https://', 'data:,a']) {
      const { message } = await faultOf(redirects('/away', location));
      expect(message, location).to.include('redirects to what is no https address');
    }
    for (const address of ['http://localhost/policy', 'file:///etc/passwd', 'policy']) {
      expect((await faultOf(address)).message).to.include('no https address');
    }
  });

  for (const [status, kind] of [
    [404, 'permanent'],
    [304, 'permanent'],
    [503, 'passing'],
  ] as const) {
    it(`is none where the server answers ${status}: ERR_POLICY_REFERENCE, ${kind}`, async () => {
      answers.set('/status', (_, response) => response.writeHead(status).end());
      const fault = await faultOf(`${url}/status`);
      expect(fault.kind).to.equal(kind);
      expect(fault.message).to.include(`failed to fetch content from policy url with code ${status}`);
    });
  }

  it('is refused where it is too long, or no text', async () => {
    const long = await faultOf(says('/long', 'x'.repeat(1024 * 1024 + 1)));
    expect(long.message).to.include('more than 1048576 bytes');
    const binary = Buffer.from([0xff, 0xfe]);
    const { message } = await faultOf(says('/binary', binary), hash('sha256', binary));
    expect(message).to.include('no UTF-8 text');
  });

  it('is waited for no longer than its deadline, and never told with its query', async () => {
    answers.set('/slow?token=secret', () => undefined);
    const address = `${url.replace('localhost', 'user:word@localhost')}/slow?token=secret`;
    const fault = await rejectionOf(
      fetchRemotePolicy(
        { url: address, sha256sum },
        { dispatcher: trusting, signal: soon(), deadlineMs: 50 },
      ),
    );
    expect(fault).to.include({ code: 'ERR_POLICY_REFERENCE', kind: 'passing' });
    expect(fault.message).not.to.match(/secret|word/);
  });
});

async function serverCertificate(): Promise<ServerOptions> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  const key = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    format: 'der',
    type: 'pkcs8',
  });
  return {
    cert: certificate.toString('pem'),
    key: key.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}
