import { expect } from 'chai';
import { matchesPattern } from '../../../../src/policy/layout/name-pattern.ts';

const cases: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
  ['*', 'src/foo.py', true],
  ['*', '', true],
  ['foo.py', 'foo.py', true],
  ['foo.py', 'fooxpy', false],
  ['*.py', 'src/foo.py', true],
  ['src/*', 'src2/foo.py', false],
  ['foo.??', 'foo.py', true],
  ['foo.?', 'foo.py', false],
  ['[a-f]oo', 'foo', true],
  ['[!a-f]oo', 'foo', false],
  ['[]x]oo', ']oo', true],
  ['[a', '[a', true],
  ['a*b*c', 'axxbxxc', true],
  ['a*b*c', 'axxcxxb', false],
  ['FOO.py', 'foo.py', false],
  ['?', '😀', true],
];

describe('a pattern of artifact rules', () => {
  for (const [pattern, name, matches] of cases) {
    it(`${pattern} ${matches ? 'matches' : 'does not match'} ${name}`, () => {
      expect(matchesPattern(name, pattern)).to.equal(matches);
    });
  }

  it('takes no time that grows with the number of stars', () => {
    expect(matchesPattern('a'.repeat(4000), `${'*a'.repeat(200)}b`)).to.equal(false);
  });
});
