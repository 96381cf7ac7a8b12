import { expect } from 'chai';
import type { Digest } from '../../../src/model/digest.ts';
import type { CompiledClusterPolicy } from '../../../src/policy/compiled-policy.ts';
import { ExceptionRegister } from '../../../src/policy/exception-register.ts';
import { excuse } from '../../../src/policy/excused-judgement.ts';
import { explainBriefly, explainFully } from '../../../src/policy/explanation.ts';
import type { ImageJudgement, PolicyResult } from '../../../src/policy/judgement.ts';
import { readPolicyException } from '../../../src/policy/policy-exception.ts';
import type { ExceptionRules, PolicyException } from '../../../src/policy/policy-exception.ts';

const digest = `sha256:${'a'.repeat(64)}` as Digest;
const pinned = { repository: { registry: 'registry.example', path: 'app' }, digest };
const image = `registry.example/app@${digest}`;
const now = new Date('2026-11-29T12:00:00Z');
const rules: ExceptionRules = {
  ...{ enabled: true, namespaces: ['shop'], maxDurationMs: 24 * 3_600_000, digestOnly: true },
};
const good = {
  ...{ policy: 'production', image, reason: 'the pipeline is down', requestedBy: 'a', approvedBy: 'b' },
  expiresAt: '2026-11-30T10:00:00Z',
};

function readOf(spec: unknown, more: Partial<ExceptionRules> = {}, created = '2026-11-29T11:00:00Z') {
  const metadata = { name: 'x', namespace: 'shop', uid: 'u', creationTimestamp: created };
  return readPolicyException({ metadata, spec }, { ...rules, ...more }, { now });
}

function exceptionOf(spec: object = {}, more: Partial<ExceptionRules> = {}): PolicyException {
  const { exception, faults } = readOf({ ...good, ...spec }, more);
  if (exception === undefined) throw new Error(faults.join());
  return exception;
}

describe('an exception as read', () => {
  it('is what its fields say', () => {
    expect(exceptionOf()).to.deep.include({ namespace: 'shop', name: 'x', uid: 'u', policy: 'production' });
  });

  it('does nothing once there is a fault in it, or the settings do not allow it', () => {
    const cases: readonly (readonly [ReturnType<typeof readOf>, RegExp])[] = [
      [readOf(good, { enabled: false }), /exceptions\.enabled/],
      [readOf(good, { namespaces: [] }), /exceptions\.namespaces/],
      [readOf({ ...good, image: 'registry.example/app:1' }), /digestOnly/],
      [readOf({ ...good, image: `registry.example/**@${digest}` }), /digestOnly/],
      [readOf({ ...good, image: `registry.example/app@sha256:1` }), /digestOnly/],
      [readOf({ ...good, image: '$(x)' }), /spec\.image/],
      [readOf({ ...good, image: `registry.example/App@${digest}` }), /no image reference/],
      [readOf({ ...good, expiresAt: '2026-11-30T11:00:01Z' }), /later than 2026-11-30T11:00:00/],
      [readOf({ ...good, expiresAt: '2026-13-45T11:00:01Z' }), /no instant/],
      [readOf({ ...good, expiresAt: 'never' }), /spec\.expiresAt/],
      [readOf({ ...good, unknown: true }), /unknown/],
      [readOf('text'), /spec/],
      [readOf(good, {}, 'yesterday'), /creationTimestamp/],
    ];
    for (const [{ exception, faults }, told] of cases) {
      expect(exception).to.equal(undefined);
      expect(faults.join()).to.match(told);
    }
  });

  it('cannot be kept alive by moving its end: what counts is its creation', () => {
    const old = readOf({ ...good, expiresAt: '2026-11-29T13:00:00Z' }, {}, '2026-11-20T00:00:00Z');
    expect(old.exception).to.equal(undefined);
  });
});

describe('a judgement excused', () => {
  const failed = (policy: string, mode: 'enforce' | 'warn' = 'enforce'): PolicyResult => ({
    ...{ policy, mode, evaluation: 'strict', passed: false, authorities: [] },
    reasons: [{ code: 'X', message: 'unsigned' }],
  });
  const compiledOf = (
    name: string,
    exceptions: 'allowed' | 'forbidden' = 'allowed',
  ): CompiledClusterPolicy => ({
    ...{ name, mode: 'enforce', evaluation: 'strict', exceptions, authorities: [], globs: [], match: [] },
  });
  const denied = (...policies: readonly PolicyResult[]): ImageJudgement => {
    return { image, digest, outcome: 'denied', policies, reasons: [] };
  };
  const outcomeOf = (
    judgement: ImageJudgement,
    exceptions: readonly PolicyException[],
    policies = [compiledOf('production'), compiledOf('other')],
  ): string => excuse(judgement, pinned, { exceptions, policies, now }).outcome;

  it('is a warning that names who, why and until when', () => {
    const excused = excuse(denied(failed('production')), pinned, {
      ...{ exceptions: [exceptionOf()], policies: [compiledOf('production')], now },
    });
    expect(excused.outcome).to.equal('warned');
    expect(explainBriefly(excused)).to.match(
      /^excepted until 2026-11-30T10:00:00\.000Z by x \(approved by b: the pipeline is down\): failed policy: production/,
    );
    expect(explainFully(excused)).to.include('excepted until');
  });

  it('counts for the policy that it names, and that allows it, alone', () => {
    expect(outcomeOf(denied(failed('production')), [exceptionOf()])).to.equal('warned');
    expect(outcomeOf(denied(failed('other')), [exceptionOf()])).to.equal('denied');
    expect(outcomeOf(denied(failed('production'), failed('other')), [exceptionOf()])).to.equal('denied');
    expect(outcomeOf(denied(failed('production'), failed('other', 'warn')), [exceptionOf()])).to.equal(
      'warned',
    );
    const forbidding = [compiledOf('production', 'forbidden')];
    expect(outcomeOf(denied(failed('production')), [exceptionOf()], forbidding)).to.equal('denied');
    expect(outcomeOf(denied(failed('production')), [exceptionOf()], []), 'not in force').to.equal('denied');
  });

  it('counts for its image and its time alone', () => {
    const other = `registry.example/app@sha256:${'b'.repeat(64)}`;
    expect(outcomeOf(denied(failed('production')), [exceptionOf({ image: other })])).to.equal('denied');
    expect(outcomeOf(denied(failed('production')), [exceptionOf({ expiresAt: now.toISOString() })])).to.equal(
      'denied',
    );
    const glob = exceptionOf({ image: 'registry.example/**' }, { digestOnly: false });
    expect(outcomeOf(denied(failed('production')), [glob])).to.equal('warned');
  });

  it('counts for an image of Docker Hub by each of its names, and for one that has a tag beside its digest', () => {
    const official = { repository: { registry: 'index.docker.io', path: 'library/nginx' }, digest };
    const outcome = (name: string, more: Partial<ExceptionRules> = {}): string => {
      const exceptions = [exceptionOf({ image: name }, more)];
      const parts = { exceptions, policies: [compiledOf('production')], now };
      return excuse(denied(failed('production')), official, parts).outcome;
    };
    const hosts = ['', 'library/', 'docker.io/', 'docker.io/library/', 'index.docker.io/library/'];
    for (const host of hosts) expect(outcome(`${host}nginx@${digest}`), host).to.equal('warned');
    expect(outcome(`nginx:1.29@${digest}`)).to.equal('warned');
    expect(outcome(`mirror/nginx@${digest}`)).to.equal('denied');
    const globs = { digestOnly: false };
    expect(outcome('index.docker.io/library/nginx@*', globs)).to.equal('warned');
    expect(outcome('docker.io/library/nginx@*', globs), 'as in policies').to.equal('denied');
  });

  it('is not for images that no policy is about', () => {
    const unmatched = {
      ...denied(),
      reasons: [{ code: 'ERR_POLICY_NO_MATCH', message: 'no matching policies' }],
    };
    expect(outcomeOf(unmatched, [exceptionOf()])).to.equal('denied');
  });
});

describe('the register of exceptions', () => {
  it('keeps them by namespace, and tells of changes', () => {
    const register = new ExceptionRegister();
    const told: string[] = [];
    const end = register.onChange((namespace) => told.push(namespace));
    register.put(exceptionOf());
    expect(register.of('shop')).to.have.length(1);
    expect(register.of('other')).to.deep.equal([]);
    register.remove('shop', 'x');
    register.remove('shop', 'x');
    end();
    register.put(exceptionOf());
    expect(told).to.deep.equal(['shop', 'shop']);
  });
});
