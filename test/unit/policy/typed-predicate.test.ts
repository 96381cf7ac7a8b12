import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { isAppError } from '../../../src/model/errors.ts';
import { isTypedPredicate, toTypedPredicate } from '../../../src/policy/typed-predicate.ts';
import type { TypedPredicateName } from '../../../src/policy/typed-predicate.ts';

interface Case {
  readonly type: TypedPredicateName;
  readonly attested: unknown;
  readonly judged?: unknown;
  readonly refused?: true;
}

// Written by in-toto-golang 0.9.0 and cosign 2.5.0's own types, as policy-controller 0.14.0 uses them.
const cases = JSON.parse(
  readFileSync(new URL('../../fixtures/policy/typed-predicates.json', import.meta.url), 'utf8'),
) as readonly Case[];

describe('a predicate as a Go type has it', () => {
  for (const type of ['slsaprovenance', 'link', 'vuln'] as const) {
    it(`is for ${type} what Go makes of it, and else refused with ERR_POLICY_DOCUMENT`, () => {
      for (const { attested, judged, refused } of cases.filter((one) => one.type === type)) {
        const text = JSON.stringify(attested);
        expect(judgedOf(type, attested), text).to.deep.equal(refused ? 'ERR_POLICY_DOCUMENT' : judged);
      }
    });
  }

  it('is made for these short names alone', () => {
    for (const name of ['slsaprovenance1', 'slsaprovenance02', 'custom', 'cyclonedx', 'toString', '']) {
      expect(isTypedPredicate(name), name).to.equal(false);
    }
  });
});

function judgedOf(type: TypedPredicateName, attested: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(toTypedPredicate(type, attested)));
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
}
