import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { policiesUnmet } from '../../../../src/commands/verify-attestation/attestation-faults.ts';
import { compilePolicyFiles } from '../../../../src/commands/verify-attestation/policy-files.ts';
import { findUnmetPolicies } from '../../../../src/commands/verify-attestation/statement-policies.ts';
import type { UnmetPolicy } from '../../../../src/commands/verify-attestation/statement-policies.ts';
import { isAppError } from '../../../../src/model/errors.ts';
import { openTestEngine, patience as signal } from '../../policy/test-engine.ts';

const place = 'harbor.golems.internal/golem-trust/app@sha256:';
const none = `predicate: scanner: result: critical: 0`;
const scanned = `predicate: scanner: uri: "trivy"`;
const rego = `package sigstore
isCompliant { input.predicate.scanner.result.critical == 0 }`;

/** A verified statement of a scan that found so many. */
function scan(ref: string, critical: number): { readonly ref: string; readonly payload: Buffer } {
  const statement = {
    _type: 'https://in-toto.io/Statement/v0.1',
    subject: [{ name: 'app', digest: { sha256: 'a'.repeat(64) } }],
    predicateType: 'https://cosign.sigstore.dev/attestation/vuln/v1',
    predicate: { scanner: { uri: 'trivy', result: { critical } } },
  };
  return { ref: `${place}${ref}`, payload: Buffer.from(JSON.stringify(statement)) };
}

describe('policies of verify-attestation', () => {
  const engine = openTestEngine();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'chainwright-policies-'));
  });
  after(async () => {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  });

  const compile = async (policies: Readonly<Record<string, string>>) => {
    const files = Object.entries(policies).map(async ([name, text]) => {
      await writeFile(join(folder, name), text);
      return join(folder, name);
    });
    return compilePolicyFiles(await Promise.all(files), { engine, signal });
  };
  const judge = async (
    statements: readonly ReturnType<typeof scan>[],
    policies: Readonly<Record<string, string>>,
  ): Promise<readonly UnmetPolicy[]> => findUnmetPolicies(statements, await compile(policies), { signal });

  it('are met if every statement meets every one', async () => {
    const policies = { 'none.cue': none, 'scanned.cue': scanned, 'none.rego': rego };
    expect(await judge([scan('1', 0), scan('2', 0)], policies)).to.deep.equal([]);
  });

  it('are not met if one statement of two breaks one, whichever comes first', async () => {
    for (const [name, text] of [
      ['none.cue', none],
      ['none.rego', rego],
    ] as const) {
      for (const statements of [
        [scan('1', 0), scan('2', 3)],
        [scan('2', 3), scan('1', 0)],
      ]) {
        const unmet = await judge(statements, { [name]: text, 'scanned.cue': scanned });
        expect(unmet.map(({ file, ref }) => [file, ref])).to.deep.equal([[join(folder, name), `${place}2`]]);
      }
    }
  });

  it('are told with ERR_VERIFY_ATTESTATION, naming policy file, statement and rule', async () => {
    const fault = policiesUnmet('IMAGE', await judge([scan('1', 0), scan('2', 3)], { 'none.cue': none }));
    expect(fault.code).to.equal('ERR_VERIFY_ATTESTATION');
    expect(fault.message)
      .to.include(`${place}2 does not meet ${join(folder, 'none.cue')}`)
      .and.to.include('predicate.scanner.result.critical')
      .and.not.to.include(`${place}1`);
  });

  it('are refused with ERR_USAGE_FLAGS in another language, and with ERR_POLICY_COMPILE if they do not compile', async () => {
    const codeFor = (name: string, text: string): Promise<string> =>
      compile({ [name]: text }).then(
        () => 'compiled',
        (error: unknown) => (isAppError(error) ? error.code : String(error)),
      );
    expect(await codeFor('policy.yaml', 'rules: []')).to.equal('ERR_USAGE_FLAGS');
    expect(await codeFor('broken.cue', 'predicate: {')).to.equal('ERR_POLICY_COMPILE');
  });
});
