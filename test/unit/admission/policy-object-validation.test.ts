import { expect } from 'chai';
import type { AdmissionAnswer } from '../../../src/admission/admission-answer.ts';
import type { AdmissionRequest } from '../../../src/admission/admission-review.ts';
import type { JsonObject } from '../../../src/model/json-object.ts';
import { validatePolicyObject } from '../../../src/admission/policy-object-validation.ts';
import { AppError } from '../../../src/model/errors.ts';
import type { FaultKind } from '../../../src/model/errors.ts';
import type { CompiledPolicy } from '../../../src/policy/evaluation/policy-engine.ts';
import { systemClock } from '../../../src/telemetry/system-clock.ts';
import { rejectionOf } from '../registry/rejection.ts';
import { soon } from '../registry/sample-images.ts';
import { requestOf } from './door.ts';

const keyless = { identities: [{ issuer: 'https://issuer.example', subject: 'ci' }] };
const policyObject = (authority: object, more: JsonObject = {}): JsonObject => ({
  apiVersion: 'policy.sigstore.dev/v1beta1',
  kind: 'ClusterImagePolicy',
  metadata: { name: 'production' },
  spec: { images: [{ glob: 'registry.example/**' }], authorities: [authority], ...more },
});
const withBody = (policy: object): object => ({
  keyless,
  attestations: [{ name: 'sbom', predicateType: 'https://cyclonedx.org/bom', policy }],
});

const exceptions = { enabled: true, namespaces: ['shop'], maxDurationMs: 3_600_000, digestOnly: true };

describe('validating a policy', () => {
  let released = 0;
  const validate = async (
    request: AdmissionRequest,
    fault?: { readonly code: string; readonly kind: FaultKind },
  ): Promise<AdmissionAnswer> => {
    const compile = async (): Promise<CompiledPolicy> => {
      await Promise.resolve();
      if (fault !== undefined) throw new AppError(fault.code, 'line 1: it is broken', { kind: fault.kind });
      const release = (): Promise<void> => {
        released += 1;
        return Promise.resolve();
      };
      return { type: 'cue', names: [], volatile: [], release, evaluate: () => Promise.reject(new Error()) };
    };
    const parts = { engine: { compile }, namespace: 'system', exceptions, clock: systemClock };
    return validatePolicyObject(request, parts, { signal: soon() });
  };
  const denialOf = async (object: JsonObject): Promise<unknown> =>
    (await validate(requestOf(object))).refusal;

  it('admits a good one, and lets the engine forget its rules', async () => {
    released = 0;
    const object = policyObject(withBody({ type: 'cue', data: 'predicateType: string' }));
    expect(await validate(requestOf(object))).to.deep.equal({ allowed: true, warnings: [] });
    expect(released).to.equal(1);
  });

  it("refuses with policy-controller's texts what its rules forbid", async () => {
    expect(await denialOf(policyObject({ keyless: {} }))).to.deep.equal({
      code: 400,
      message: 'validation failed: missing field(s): spec.authorities[0].keyless.identities',
    });
    expect(await denialOf(policyObject({ keyless }, { mode: 'garbage' }))).to.deep.equal({
      code: 400,
      message: 'validation failed: invalid value: garbage: spec.mode\nunsupported mode',
    });
  });

  it('refuses rules that do not compile', async () => {
    const object = policyObject(withBody({ type: 'cue', data: '{' }));
    const { refusal } = await validate(requestOf(object), { code: 'ERR_POLICY_COMPILE', kind: 'permanent' });
    expect(refusal).to.deep.equal({
      code: 400,
      message: 'validation failed: sbom: line 1: it is broken',
    });
  });

  it('does not refuse for rules that lie elsewhere and may not be there yet', async () => {
    const object = policyObject(withBody({ type: 'cue', configMapRef: { name: 'rules', key: 'sbom' } }));
    expect((await validate(requestOf(object), { code: 'ERR_X', kind: 'permanent' })).allowed).to.equal(true);
  });

  for (const fault of [
    { code: 'ERR_POLICY_ENGINE_BUSY', kind: 'passing' },
    { code: 'ERR_POLICY_ENGINE_MODULE', kind: 'permanent' },
  ] as const) {
    it(`does not take our own ${fault.code} for a fault of the policy`, async () => {
      const object = policyObject(withBody({ type: 'cue', data: 'a: 1' }));
      expect((await rejectionOf(validate(requestOf(object), fault))).code).to.equal(fault.code);
    });
  }

  it('warns of what is hardly meant', async () => {
    const object = policyObject({ keyless }, { images: [{ glob: 'registry.example/app:v1' }] });
    const { allowed, warnings } = await validate(requestOf(object));
    expect(allowed).to.equal(true);
    expect(warnings).to.deep.equal([
      'registry.example/app:v1 has a tag: images are judged by digest, so it matches none',
    ]);
  });

  it('does not hold up labels and finalizers of one that older rules let in', async () => {
    const broken = policyObject({ keyless: {} });
    const labelled = { ...broken, metadata: { name: 'production', labels: { a: 'b' }, finalizers: [] } };
    expect((await validate(requestOf(labelled, { oldObject: broken }))).allowed).to.equal(true);
    const annotated = { ...broken, metadata: { name: 'production', annotations: { a: 'b' } } };
    expect((await validate(requestOf(annotated, { oldObject: broken }))).allowed).to.equal(false);
  });

  it('reads trust roots by their rules, too', async () => {
    const root = {
      apiVersion: 'policy.sigstore.dev/v1alpha1',
      kind: 'TrustRoot',
      metadata: { name: 'ours' },
      spec: {},
    };
    expect(await denialOf(root)).to.deep.equal({
      code: 400,
      message:
        'validation failed: expected exactly one, got neither: spec.remote, spec.repository, spec.sigstoreKeys',
    });
  });

  for (const more of [{ operation: 'DELETE' }, { subResource: 'status' }] as const) {
    it(`lets ${JSON.stringify(more)} pass`, async () => {
      expect((await validate(requestOf(policyObject({}), more))).allowed).to.equal(true);
    });
  }

  it('refuses other kinds with ERR_ADMISSION_REVIEW', async () => {
    const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: {} };
    expect((await rejectionOf(validate(requestOf(other)))).code).to.equal('ERR_ADMISSION_REVIEW');
  });

  describe('of exceptions', () => {
    const image = `registry.example/app@sha256:${'a'.repeat(64)}`;
    const exceptionOf = (spec: JsonObject): JsonObject => ({
      ...{ apiVersion: 'chainwright.dev/v1alpha1', kind: 'ImagePolicyException', metadata: { name: 'x' } },
      spec: {
        ...{ policy: 'production', image, reason: 'the pipeline is down', requestedBy: 'a', approvedBy: 'b' },
        expiresAt: new Date(Date.now() + 60_000).toISOString(),
        ...spec,
      },
    });

    it('admits one that the settings allow', async () => {
      expect((await validate(requestOf(exceptionOf({})))).allowed).to.equal(true);
    });

    it('refuses what would not be honoured, and says by which setting', async () => {
      const faults: readonly (readonly [JsonObject, string])[] = [
        [{ image: 'registry.example/**' }, 'exceptions.digestOnly'],
        [{ expiresAt: '2999-01-01T00:00:00Z' }, 'exceptions.maxDuration'],
        [{ expiresAt: '2001-01-01T00:00:00Z' }, 'is past'],
        [{ expiresAt: undefined }, 'spec.expiresAt'],
        [{ reason: 'no' }, 'spec.reason'],
        [{ extra: 1 }, 'extra'],
      ];
      for (const [spec, told] of faults) {
        const { refusal } = await validate(requestOf(exceptionOf(spec)));
        expect(refusal?.message, told).to.include(told);
      }
      const elsewhere = await validate({ ...requestOf(exceptionOf({})), namespace: 'other' });
      expect(elsewhere.refusal?.message).to.include('exceptions.namespaces');
    });
  });
});
