import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  createFileTokenSource,
  createRequestTokenSource,
  createStaticTokenSource,
  readTokenClaims,
} from '../../../src/signing/identity-token.ts';
import { codeOf, codeOfRejection } from './codes.ts';
import { signal } from './signed-evidence.ts';

const now = new Date('2026-11-22T12:00:00Z');
const clock = { now: () => now, sleep: () => Promise.resolve() };

function tokenWith(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part({ iss: 'https://issuer', sub: 'system:serviceaccount:a:b', ...claims })}.c2ln`;
}

const expiringIn = (seconds: number): string => tokenWith({ exp: now.getTime() / 1000 + seconds });

describe('identity token sources', () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'token-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('reads the file anew on each call, without the line end at its end', async () => {
    const path = join(folder, 'token');
    const source = createFileTokenSource(path, clock);
    const [first, second] = [expiringIn(600), expiringIn(1200)];
    await writeFile(path, `${first}\n`);
    expect(await source.fetch({ signal })).to.equal(first);
    await writeFile(path, second);
    expect(await source.fetch({ signal })).to.equal(second);
  });

  it('refuses a missing file with ERR_IDENTITY_TOKEN_UNREADABLE', async () => {
    const source = createFileTokenSource(join(folder, 'none'), clock);
    expect(await codeOfRejection(source.fetch({ signal }))).to.equal('ERR_IDENTITY_TOKEN_UNREADABLE');
  });

  it('refuses an expired token with ERR_IDENTITY_TOKEN_EXPIRED', async () => {
    const source = createStaticTokenSource(expiringIn(-1), clock);
    expect(await codeOfRejection(source.fetch({ signal }))).to.equal('ERR_IDENTITY_TOKEN_EXPIRED');
  });

  it('hands the signal to the function that requests a token', async () => {
    const seen: AbortSignal[] = [];
    const source = createRequestTokenSource((options) => {
      seen.push(options.signal);
      return Promise.resolve(expiringIn(600));
    }, clock);
    await source.fetch({ signal });
    expect(seen).to.deep.equal([signal]);
  });

  it('takes a verified e-mail address for the subject, as Fulcio does, and never an unverified one', () => {
    const email = 'somebody@golems.internal';
    expect(readTokenClaims(tokenWith({ email, email_verified: true })).subject).to.equal(email);
    expect(readTokenClaims(tokenWith({ email })).subject).to.equal('system:serviceaccount:a:b');
    expect(readTokenClaims(tokenWith({ aud: ['sigstore'] })).audience).to.deep.equal(['sigstore']);
  });

  it('refuses what is no token with ERR_IDENTITY_TOKEN_MALFORMED and does not quote it', () => {
    for (const text of [
      '',
      'secret',
      'a.secret.c',
      `a.${Buffer.from('[]').toString('base64url')}.c`,
      tokenWith({ sub: 1 }),
    ]) {
      expect(codeOf(() => readTokenClaims(text))).to.equal('ERR_IDENTITY_TOKEN_MALFORMED');
      expect(() => readTokenClaims(text))
        .to.throw()
        .with.property('message')
        .not.include('secret');
    }
  });
});
