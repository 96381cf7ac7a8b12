import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';

import { expect } from 'chai';

import { basicCredentials, grant, issueToken, keyId, parseScopes } from '../../../hack/stack/harbor/token.ts';

describe('registry tokens of the stack', () => {
  const account = { name: 'robot$x', password: 'p', project: 'golem-trust', actions: ['pull'] };

  it('reads name and password of a Basic header, colons in the password included', () => {
    const header = `Basic ${Buffer.from('robot$x:a:b').toString('base64')}`;
    expect(basicCredentials(header)).to.deep.equal({ name: 'robot$x', password: 'a:b' });
    expect(basicCredentials('Bearer abc')).to.equal(undefined);
    expect(basicCredentials(undefined)).to.equal(undefined);
  });

  it('reads scopes given in several parameters or in one', () => {
    const one = { type: 'repository', name: 'golem-trust/a', actions: ['pull', 'push'] };
    const other = { type: 'repository', name: 'host:5000/b', actions: ['pull'] };
    expect(parseScopes(['repository:golem-trust/a:pull,push', 'repository:host:5000/b:pull'])).to.deep.equal([
      one,
      other,
    ]);
    expect(parseScopes(['repository:golem-trust/a:pull,push repository:host:5000/b:pull'])).to.deep.equal([
      one,
      other,
    ]);
    expect(parseScopes(['nonsense', ''])).to.deep.equal([]);
  });

  it('grants what the account may do in its own project, and nothing to nobody', () => {
    const asked = parseScopes([
      'repository:golem-trust/a:pull,push',
      'repository:golem-trustworthy/a:pull',
      'registry:catalog:*',
    ]);
    expect(grant(account, asked)).to.deep.equal([
      { type: 'repository', name: 'golem-trust/a', actions: ['pull'] },
    ]);
    expect(grant(undefined, asked)).to.deep.equal([]);
    expect(grant(account, parseScopes(['repository:golem-trust/a:push']))).to.deep.equal([]);
  });

  it('signs a token that the public key verifies, under the key id of its SPKI', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const id = keyId(publicKey.export({ type: 'spki', format: 'der' }));
    expect(id).to.match(/^(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
    const issuer = { issuer: 'i', key: privateKey, keyId: id, lifetimeSeconds: 60 };
    const token = issueToken(
      issuer,
      'robot$x',
      { audience: 's', access: [] },
      new Date('2026-01-01T00:00:00Z'),
    );
    const [head = '', body = '', signature = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).to.include({ alg: 'ES256', kid: id });
    expect(JSON.parse(Buffer.from(body, 'base64url').toString())).to.include({
      sub: 'robot$x',
      exp: 1_767_225_660,
    });
    const key = { key: createPublicKey(privateKey), dsaEncoding: 'ieee-p1363' as const };
    expect(
      verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')),
    ).to.equal(true);
  });
});
