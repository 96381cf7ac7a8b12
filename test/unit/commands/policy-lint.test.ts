import { expect } from 'chai';
import { lintPolicies } from '../../../src/commands/policy/policy-lint.ts';
import type { LintedObject } from '../../../src/commands/policy/policy-lint.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { FaultKind } from '../../../src/model/errors.ts';
import type { PolicyEngine } from '../../../src/policy/evaluation/policy-engine.ts';
import { soon } from '../registry/sample-images.ts';

const remote = { url: 'https://policies.example/a.cue', sha256sum: 'ab'.repeat(32) };

describe('linting a policy whose text lies at an address', () => {
  const compiled: string[] = [];
  const engine: Pick<PolicyEngine, 'compile'> = {
    compile: ({ type, data }) => {
      compiled.push(data);
      const evaluate = (): Promise<never> => Promise.reject(new Error('not asked'));
      return Promise.resolve({
        type,
        names: ['predicate.a'],
        volatile: [],
        evaluate,
        release: () => Promise.resolve(),
      });
    },
  };
  const lint = async (fetchRemotePolicy: () => Promise<string>): Promise<LintedObject> => {
    const attestations = [{ name: 'sbom', predicateType: 'cyclonedx', policy: { type: 'cue', remote } }];
    const keyless = { identities: [{ issuer: 'https://a', subject: 'b' }] };
    const value = {
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name: 'remote' },
      spec: { images: [{ glob: '**' }], authorities: [{ keyless, attestations }] },
    };
    const files = {
      policies: [{ file: 'a.yaml', value }],
      trustRoots: [],
      workloads: [],
      secrets: [],
      configMaps: [],
    };
    const parts = { engine: engine as PolicyEngine, namespace: 'a', remote: { fetchRemotePolicy } };
    const [linted] = await lintPolicies(files, { ...parts, signal: soon() });
    return linted!;
  };
  const failing = (kind: FaultKind) => () => Promise.reject(new AppError('ERR_ANY', 'no text', { kind }));

  it('compiles that text', async () => {
    const { faults, requiredFields } = await lint(() => Promise.resolve('a: 1'));
    expect(faults).to.deep.equal([]);
    expect(compiled).to.deep.equal(['a: 1']);
    expect(requiredFields).to.deep.equal([{ attestation: 'sbom', paths: ['predicate.a'] }]);
  });

  it('finds fault with a text of another content, and warns where the server is away', async () => {
    expect((await lint(failing('permanent'))).faults).to.deep.equal(['sbom: no text']);
    const away = await lint(failing('passing'));
    expect(away.faults).to.deep.equal([]);
    expect(away.warnings).to.include('sbom: no text');
  });
});
