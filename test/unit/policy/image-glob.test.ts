import { expect } from 'chai';
import fc from 'fast-check';
import { compileGlob, isFilePattern, matchesGlob } from '../../../src/policy/image-glob.ts';

/** policy-controller's own table (pkg/apis/glob/glob_test.go): image, globs that match, globs that don't. */
const oracle: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'foo',
    [
      'index.docker.io/library/foo:latest',
      'index.docker.io/library/foo:*',
      'index.docker.io/library/*',
      'index.docker.io/library/*:latest',
      'index.docker.io/*/*',
      'index.docker.io/**',
      'index.docker.**',
      'inde**',
      '**',
      'foo',
      'foo*',
      'foo**',
      '*',
    ],
    [],
  ],
  [
    'myuser/myapp',
    [
      'index.docker.io/myuser/myapp:latest',
      'index.docker.io/myuser/myapp:*',
      'index.docker.io/myuser/*',
      'index.docker.io/myuser/*:latest',
      'index.docker.io/*/*',
      'index.docker.io/**',
      'index.docker.**',
      'inde**',
      '**',
      'myuser/myapp',
      'myuser/myapp*',
      'myuser/myapp**',
      '*/*',
    ],
    [],
  ],
  ['ghcr.io/foo/bar', ['ghcr.io/*/*', 'ghcr.io/**'], []],
  ['ghcr.io/foo', ['ghcr.io/**', 'ghc**', '**', '*/**', 'ghcr.io/foo*', 'ghcr.io/foo**'], ['ghcr.io/*/*']],
  ['prefix-ghcr.io/foo', [], ['ghcr.io/foo']],
  ['ghcr.io/foo-suffix', [], ['ghcr.io/foo']],
  ['ghcrxio/foo', [], ['ghcr.io/**']],
];

const pin = `@sha256:${'ab'.repeat(32)}`;

/** What facts of the reference say about images as they come to admission: name and digest. */
const admission: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    `index.docker.io/library/nginx${pin}`,
    ['index.docker.io/library/nginx*', '*', '**'],
    [
      'nginx*',
      'docker.io/library/nginx*',
      'index.docker.io/library/nginx',
      'index.docker.io/library/nginx:*',
    ],
  ],
  [`index.docker.io/me/app${pin}`, ['*/*'], ['*']],
  [
    `ghcr.io/foo/bar${pin}`,
    ['ghcr.io/foo/bar@*', 'ghcr.io/foo/bar*', 'ghcr.io/foo/*', 'ghcr.io/**', `ghcr.io/foo/bar${pin}`],
    ['ghcr.io/foo/bar', 'ghcr.io/foo/bar:v1', 'ghcr.io/*', '*/*'],
  ],
];

describe('globs of images', () => {
  for (const [image, matching, others] of [...oracle, ...admission]) {
    for (const glob of [...matching, ...others]) {
      const isMatch = matching.includes(glob);
      it(`${isMatch ? 'matches' : 'does not match'} ${image} with ${glob}`, () => {
        expect(matchesGlob(compileGlob(glob), image)).to.equal(isMatch);
      });
    }
  }

  for (const glob of ['.+', '[a-z]*', '$FOO*', 'a b', '', 'a\n', 'ä*']) {
    it(`refuses ${JSON.stringify(glob)} with ERR_POLICY_GLOB`, () => {
      expect(() => compileGlob(glob))
        .to.throw()
        .with.property('code', 'ERR_POLICY_GLOB');
    });
  }

  it('refuses an image that is none with ERR_IMAGE_REFERENCE', () => {
    expect(() => matchesGlob(compileGlob('**'), 'invalid&name'))
      .to.throw()
      .with.property('code', 'ERR_IMAGE_REFERENCE');
  });

  it('matches as a naive matcher does, in bounded time', () => {
    const piece = fc.constantFrom('*', '**', 'a', 'b', '/', '.', ':', '-');
    const globs = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''));
    const names = fc
      .array(fc.constantFrom('a', 'b', 'ab', 'a/b'), { minLength: 1, maxLength: 4 })
      .map((parts) => `a.b/${parts.join('/')}${pin}`);
    fc.assert(
      fc.property(globs, names, (glob, name) => {
        fc.pre(glob !== '*' && glob !== '*/*');
        expect(matchesGlob(compileGlob(glob), name)).to.equal(isNaiveMatch(glob, name));
      }),
    );
    const started = performance.now();
    matchesGlob(compileGlob('**a'.repeat(300)), `a.b/${'a'.repeat(250)}${pin}`);
    expect(performance.now() - started).to.be.below(5000);
  });

  const patterns: Readonly<Record<string, boolean>> = {
    'a*': true,
    '[a-z]': true,
    '[^a]': true,
    '[': false,
    '[]': false,
    '[a': false,
    '[a-]': false,
    '\\': false,
    'a\\b': true,
    '[\\]]': true,
    ']': true,
  };
  for (const [pattern, isPattern] of Object.entries(patterns)) {
    it(`${isPattern ? 'takes' : 'refuses'} ${pattern} as Go's filepath.Match does`, () => {
      expect(isFilePattern(pattern)).to.equal(isPattern);
    });
  }
});

/** Stars eat any prefix, `*` none with a slash; written to be obvious, not fast. */
function isNaiveMatch(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  const stars = glob.startsWith('**') ? 2 : glob.startsWith('*') ? 1 : 0;
  if (stars === 0)
    return text !== '' && glob.startsWith(text.slice(0, 1)) && isNaiveMatch(glob.slice(1), text.slice(1));
  for (let eaten = 0; eaten <= text.length; eaten += 1) {
    if (stars === 1 && text.slice(0, eaten).includes('/')) break;
    if (isNaiveMatch(glob.slice(stars), text.slice(eaten))) return true;
  }
  return false;
}
