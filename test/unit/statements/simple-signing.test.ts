import { expect } from 'chai';
import { parseDigest } from '../../../src/model/digest.ts';
import { encodeSimpleSigning, parseSimpleSigning } from '../../../src/statements/simple-signing.ts';

const digest = parseDigest(`sha256:${'a'.repeat(64)}`);
const image = { dockerReference: 'harbor.golems.internal/golem-trust/app', digest };
const written =
  '{"critical":{"identity":{"docker-reference":"harbor.golems.internal/golem-trust/app"},"image":' +
  `{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":null}`;
const parsing = (text: string) => () => parseSimpleSigning(Buffer.from(text));

describe('encodeSimpleSigning', () => {
  it('writes the bytes that cosign writes', () => {
    expect(encodeSimpleSigning(image).toString()).to.equal(written);
  });

  it('writes annotations sorted by name', () => {
    const optional = { team: 'clay', stage: 'prod' };
    expect(encodeSimpleSigning({ ...image, optional }).toString()).to.equal(
      written.replace('null', '{"stage":"prod","team":"clay"}'),
    );
  });
});

describe('parseSimpleSigning', () => {
  it('reads what was written', () => {
    expect(parseSimpleSigning(Buffer.from(written))).to.deep.equal({ ...image, optional: {} });
  });

  it('reads annotations of the signer', () => {
    const { optional } = parseSimpleSigning(
      Buffer.from(written.replace('null', '{"team":"clay","timestamp":1}')),
    );
    expect(optional).to.deep.equal({ team: 'clay', timestamp: 1 });
  });

  it('refuses with ERR_SIMPLE_SIGNING what cosign did not make', () => {
    for (const text of [
      '{}',
      written.replace('cosign container', 'atomic container'),
      written.replace(digest, digest.toUpperCase()),
      written.replace('"type"', '"new":1,"type"'),
      written.replace('"image"', '"image":{"docker-manifest-digest":"sha256:0"},"image"'),
      'text',
    ]) {
      expect(parsing(text), text).to.throw().with.property('code', 'ERR_SIMPLE_SIGNING');
    }
  });
});
