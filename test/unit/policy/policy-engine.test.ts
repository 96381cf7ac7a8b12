import { expect } from 'chai';

import { isAppError } from '../../../src/model/errors.ts';
import type { PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { PolicyCompileError } from '../../../src/policy/evaluation/evaluation-faults.ts';
import { loadModule, modulesFolder } from '../../../src/policy/evaluation/wasm-modules.ts';
import { startInstance } from '../../../src/policy/evaluation/engine-instance.ts';
import { compilePolicy, judge, openTestEngine, patience, settableClock } from './test-engine.ts';

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'no error';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
}

async function compileFault(work: Promise<unknown>): Promise<PolicyCompileError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof PolicyCompileError) return error;
    throw error;
  }
  throw new Error('the policy compiled');
}

const runbookPolicy = `predicateType: "https://slsa.dev/provenance/v0.2"
predicate: builder: id: =~"https://tekton.golems.internal/chains/"
`;

function provenance(builder: object): object {
  return { predicateType: 'https://slsa.dev/provenance/v0.2', predicate: { builder } };
}

describe('policy engine', function () {
  this.timeout(120_000);
  let engine: PolicyEngine;

  before(() => {
    engine = openTestEngine();
  });
  after(async () => {
    await engine.close();
  });

  describe('with CUE', () => {
    it("judges by the runbook's policy", async () => {
      const policy = await compilePolicy(engine, 'cue', runbookPolicy);
      const verdict = await judge(policy, provenance({ id: 'https://tekton.golems.internal/chains/v2' }));
      expect(verdict).to.deep.equal({ passed: true, messages: [], reference: '', warnings: [] });
    });

    it('tells the path and both values of a conflict', async () => {
      const policy = await compilePolicy(engine, 'cue', runbookPolicy);
      const { passed, messages, reference } = await judge(policy, provenance({ id: 'https://evil.example' }));
      expect(passed).to.equal(false);
      expect(messages).to.have.length(1);
      expect(messages[0]).to.include({
        reason: 'conflict',
        path: 'predicate.builder.id',
        expected: '=~"https://tekton.golems.internal/chains/"',
        found: '"https://evil.example"',
      });
      expect(reference).to.match(
        /^failed to evaluate the policy with error: predicate\.builder\.id: invalid value/u,
      );
    });

    it('refuses an absent field in strict mode and names it', async () => {
      const policy = await compilePolicy(engine, 'cue', runbookPolicy);
      const { passed, messages, reference } = await judge(policy, provenance({}));
      expect(passed).to.equal(false);
      expect(messages.map(({ reason, path }) => [reason, path])).to.deep.equal([
        ['absent', 'predicate.builder.id'],
      ]);
      expect(reference).to.equal('');
      expect((await judge(policy, provenance({}), 'permissive')).passed).to.equal(true);
    });

    it('asks nothing for optional, hidden and local names', async () => {
      const policy = await compilePolicy(engine, 'cue', 'a?: int\n_b: 1\n#C: int\nlet d = 2\ne: _b + d');
      expect((await judge(policy, { e: 3 })).passed).to.equal(true);
      expect(policy.names).to.deep.equal(['e']);
    });

    it('takes one alternative of a disjunction that is there entirely', async () => {
      const policy = await compilePolicy(engine, 'cue', 'p: {a: 1, b: int} | {c: 2}');
      expect((await judge(policy, { p: { c: 2 } })).passed).to.equal(true);
      expect((await judge(policy, { p: { a: 1 } })).passed).to.equal(false);
    });

    it('refuses a policy with a syntax error, telling line and column, with ERR_POLICY_COMPILE', async () => {
      const fault = await compileFault(compilePolicy(engine, 'cue', 'a: 1\nb: "x\n'));
      expect(fault).to.include({ code: 'ERR_POLICY_COMPILE', kind: 'permanent', line: 2, column: 4 });
      expect(fault.message).to.include('string literal not terminated');
    });

    it('refuses packages for network, files and commands with ERR_POLICY_COMPILE', async () => {
      for (const name of ['tool/http', 'tool/file', 'tool/exec', 'tool/os', 'tool/cli', 'tool']) {
        const fault = await compileFault(compilePolicy(engine, 'cue', `import "${name}"\na: 1`));
        expect(fault.message).to.include('no network, files or commands');
        expect(fault.line).to.equal(1);
      }
    });

    it('refuses other modules with ERR_POLICY_COMPILE', async () => {
      const fault = await compileFault(compilePolicy(engine, 'cue', 'import "example.com/x"\na: x.y'));
      expect(fault.message).to.include('imported but not defined');
    });

    it('gives the same verdicts however often a policy was used', async () => {
      const policy = await compilePolicy(engine, 'cue', runbookPolicy);
      for (let round = 0; round < 100; round += 1) {
        expect((await judge(policy, provenance({ id: `https://evil.example/${round}` }))).passed).to.equal(
          false,
        );
      }
      const verdict = await judge(policy, provenance({ id: 'https://tekton.golems.internal/chains/v2' }));
      expect(verdict.passed).to.equal(true);
    });
  });

  describe('with Rego', () => {
    it('refuses what leaves the process, telling line and column, with ERR_POLICY_COMPILE', async () => {
      for (const call of ['http.send({"url": "http://x", "method": "get"})', 'net.lookup_ip_addr("x")']) {
        const fault = await compileFault(
          compilePolicy(engine, 'rego', `package sigstore\nisCompliant {\n  ${call}\n}`),
        );
        expect(fault.message).to.include('a policy has no network');
        expect(fault).to.include({ line: 3, column: 3 });
      }
    });

    it('refuses the same hidden behind a with modifier with ERR_POLICY_COMPILE', async () => {
      const source = 'package sigstore\nisCompliant { upper("x") with upper as http.send }';
      expect(await codeOf(compilePolicy(engine, 'rego', source))).to.equal('ERR_POLICY_COMPILE');
    });

    it('refuses a policy with a syntax error, telling line and column, with ERR_POLICY_COMPILE', async () => {
      const fault = await compileFault(compilePolicy(engine, 'rego', 'package sigstore\nisCompliant {'));
      expect(fault.line).to.equal(2);
    });

    it('sees no environment, and fetches no schema', async () => {
      const runtime = await compilePolicy(
        engine,
        'rego',
        'package sigstore\nisCompliant { opa.runtime().env }',
      );
      expect((await judge(runtime, {})).passed).to.equal(false);
      const remote = '{"$ref": "http://127.0.0.1:9/schema.json"}';
      const schema = await compilePolicy(
        engine,
        'rego',
        `package sigstore\nisCompliant { json.match_schema(input, ${remote})[0] }`,
      );
      expect((await judge(schema, {})).passed).to.equal(false);
    });

    it("sees the engine's clock, and says so", async () => {
      const clock = settableClock();
      await using timed = openTestEngine({ clock });
      const policy = await compilePolicy(
        timed,
        'rego',
        'package sigstore\nisCompliant { time.now_ns() < time.parse_rfc3339_ns(input.until) }',
      );
      expect(policy.volatile).to.deep.equal(['time.now_ns']);
      const document = { until: '2026-09-01T00:00:00Z' };
      expect((await judge(policy, document)).passed).to.equal(true);
      clock.set('2026-10-01T00:00:00Z');
      expect((await judge(policy, document)).passed).to.equal(false);
    });

    it('refuses in strict mode an absent field whose absence would comply', async () => {
      const policy = await compilePolicy(
        engine,
        'rego',
        'package sigstore\ndeny[f] { f := input.predicate.findings[_]; f.severity == "HIGH" }\nisCompliant { count(deny) == 0 }',
      );
      expect(policy.names).to.deep.equal(['predicate.findings']);
      expect((await judge(policy, { predicate: { findings: [] } })).passed).to.equal(true);
      const { passed, messages } = await judge(policy, { predicate: {} });
      expect(passed).to.equal(false);
      expect(messages).to.deep.include({
        reason: 'absent',
        path: 'predicate.findings',
        text: 'field is absent from the document, and the policy would take that for compliance',
      });
      expect((await judge(policy, { predicate: {} }, 'permissive')).passed).to.equal(true);
    });

    it("tells the policy's own errors and warnings", async () => {
      const policy = await compilePolicy(
        engine,
        'rego',
        'package sigstore\nisCompliant[r] { r := {"result": input.ok, "error": "too old", "warning": "look"} }',
      );
      const refused = await judge(policy, { ok: false });
      expect(refused.messages.map(({ text }) => text)).to.deep.equal(['too old']);
      expect(await judge(policy, { ok: true })).to.deep.include({ passed: true, warnings: ['look'] });
    });
  });

  describe('with documents', () => {
    it('refuses what is no JSON with ERR_POLICY_DOCUMENT', async () => {
      const policy = await compilePolicy(engine, 'cue', 'a: 1');
      for (const document of ['', 'a: 1', '{"a":1}x', '{', 'import "strings"']) {
        expect(await codeOf(judge(policy, document)), document).to.equal('ERR_POLICY_DOCUMENT');
      }
    });

    it('refuses deep nesting with ERR_POLICY_DOCUMENT, and judges what is a little less deep', async () => {
      for (const [type, source] of [
        ['cue', 'a: _'],
        ['rego', 'package sigstore\nisCompliant { input.a }'],
      ] as const) {
        const policy = await compilePolicy(engine, type, source);
        const nested = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
        expect(await codeOf(judge(policy, nested(100_000)))).to.equal('ERR_POLICY_DOCUMENT');
        expect((await judge(policy, nested(500))).passed).to.equal(true);
      }
    });

    it('refuses one that is too large with ERR_POLICY_SIZE', async () => {
      const policy = await compilePolicy(engine, 'cue', 'a: _');
      expect(await codeOf(judge(policy, { a: 'x'.repeat(5 * 1024 * 1024) }))).to.equal('ERR_POLICY_SIZE');
    });

    it('refuses a policy that is too large with ERR_POLICY_SIZE', async () => {
      const source = `a: "${'x'.repeat(1024 * 1024)}"`;
      expect(await codeOf(compilePolicy(engine, 'cue', source))).to.equal('ERR_POLICY_SIZE');
    });
  });

  describe('with callers', () => {
    it('lets a caller give up, and goes on for the others', async () => {
      const policy = await compilePolicy(engine, 'cue', 'a: 1');
      const reason = new Error('the request is gone');
      const given = policy.evaluate(Buffer.from('{}'), { mode: 'strict', signal: AbortSignal.abort(reason) });
      expect(await codeOf(given)).to.equal('Error: the request is gone');
      expect((await judge(policy, { a: 1 })).passed).to.equal(true);
    });

    it('refuses more waiting evaluations than the queue holds with ERR_POLICY_ENGINE_BUSY', async () => {
      await using small = openTestEngine({ limits: { queued: 2 } });
      const policy = await compilePolicy(small, 'cue', 'a: 1');
      const codes = await Promise.all([1, 2, 3].map(() => codeOf(judge(policy, { a: 1 }))));
      expect(codes).to.deep.equal(['no error', 'no error', 'ERR_POLICY_ENGINE_BUSY']);
    });

    it('keeps a bounded number of policies loaded, and loads one again that made room', async () => {
      await using small = openTestEngine({ limits: { loadedPolicies: 2 } });
      const policies = await Promise.all([1, 2, 3].map((n) => compilePolicy(small, 'cue', `a: ${n}`)));
      const verdicts = await Promise.all(policies.map((policy) => judge(policy, { a: 2 })));
      expect(verdicts.map(({ passed }) => passed)).to.deep.equal([false, true, false]);
    });

    it('replaces an instance that has grown, without a difference in verdicts', async () => {
      await using growing = openTestEngine({ limits: { recycleBytes: 1 } });
      const policy = await compilePolicy(growing, 'cue', 'a: 1');
      expect((await judge(policy, { a: 1 })).passed).to.equal(true);
      expect((await judge(policy, { a: 2 })).passed).to.equal(false);
    });

    it('refuses calls after close with ERR_POLICY_ENGINE_CLOSED', async () => {
      const closed = openTestEngine();
      const policy = await compilePolicy(closed, 'cue', 'a: 1');
      await closed.close();
      expect(await codeOf(judge(policy, {}))).to.equal('ERR_POLICY_ENGINE_CLOSED');
      expect(await codeOf(compilePolicy(closed, 'cue', 'a: 1'))).to.equal('ERR_POLICY_ENGINE_CLOSED');
    });

    it('refuses to start without its modules with ERR_POLICY_ENGINE_MODULE', async () => {
      await using broken = openTestEngine({ modules: new URL('./nowhere/', import.meta.url) });
      expect(await codeOf(compilePolicy(broken, 'cue', 'a: 1'))).to.equal('ERR_POLICY_ENGINE_MODULE');
    });
  });

  it('gives its modules memory that ends', async () => {
    const module = await loadModule('cue', modulesFolder);
    const instance = await startInstance(module);
    expect(instance.memoryBytes()).to.be.lessThan(64 * 1024 * 1024);
    const policy = `a: "${'x'.repeat(1000)}"\n`;
    expect(Buffer.from(instance.compile(1, Buffer.from(policy))).toString()).to.include('names');
    expect(() => instance.compile(2, Buffer.alloc(600 * 1024 * 1024))).to.throw();
  });

  it('is patient with no one: signals are honoured while work waits', async () => {
    const policy = await compilePolicy(engine, 'cue', 'a: 1');
    const controller = new AbortController();
    const first = judge(policy, { a: 1 });
    const second = policy.evaluate(Buffer.from('{}'), { mode: 'strict', signal: controller.signal });
    controller.abort(new Error('enough'));
    expect(await codeOf(second)).to.equal('Error: enough');
    expect((await first).passed).to.equal(true);
    expect(patience.aborted).to.equal(false);
  });
});
