import { expect } from 'chai';
import fc from 'fast-check';
import { parseAuthChallenge } from '../../../src/registry/auth-challenge.ts';

describe('parseAuthChallenge', () => {
  it('reads a Bearer challenge', () => {
    const header =
      'Bearer realm="https://auth.example/token",service="registry",scope="repository:a:pull,push"';
    expect(parseAuthChallenge(header)).to.deep.equal({
      scheme: 'bearer',
      realm: 'https://auth.example/token',
      service: 'registry',
    });
  });

  it('prefers Bearer to Basic, in any order', () => {
    for (const header of ['Basic realm="x", Bearer realm="r"', 'Bearer realm=r, Basic realm="x"']) {
      expect(parseAuthChallenge(header)).to.deep.equal({ scheme: 'bearer', realm: 'r' });
    }
  });

  it('reads names in any case, spaces around = and escapes', () => {
    expect(parseAuthChallenge('BEARER Realm = "a\\"b" , SERVICE=s')).to.deep.equal({
      scheme: 'bearer',
      realm: 'a"b',
      service: 's',
    });
    expect(parseAuthChallenge('basic')).to.deep.equal({ scheme: 'basic' });
  });

  for (const header of [
    '',
    ',,',
    'Bearer',
    'Negotiate',
    'Bearer realm="open',
    'Bearer realm="a",realm="b"',
    'Bearer (x)',
    'realm="x"',
    'Bearer realm="a\nb"',
    `Bearer realm="${'x'.repeat(9000)}"`,
  ]) {
    it(`gives nothing for ${JSON.stringify(header.slice(0, 40))}`, () => {
      expect(parseAuthChallenge(header)).to.equal(undefined);
    });
  }

  it('gives back any realm and service that are quoted', () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });
    const quote = (value: string): string => `"${value.replaceAll(/["\\]/g, '\\$&')}"`;
    fc.assert(
      fc.property(text, text, (realm, service) => {
        const header = `Basic realm="other", Bearer service=${quote(service)},realm=${quote(realm)}`;
        expect(parseAuthChallenge(header)).to.deep.equal({ scheme: 'bearer', realm, service });
      }),
    );
  });

  it('throws for no text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (header) => {
        parseAuthChallenge(header);
      }),
    );
  });
});
