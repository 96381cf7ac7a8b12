import { expect } from 'chai';
import { digestOf } from '../../../src/model/digest.ts';
import { podOf, openDoor, requestOf } from './door.ts';
import type { Door } from './door.ts';
import type { AdmissionRequest } from '../../../src/admission/admission-review.ts';

const image = `registry.example/app@${digestOf('x')}`;
const forbidding = { name: 'gate', static: { action: 'fail', message: 'closed' } };

describe('the record of decisions', () => {
  let door: Door;
  beforeEach(async () => {
    door = await openDoor({
      store: {} as never,
      policies: [{ name: 'production', authorities: [forbidding] }],
    });
  });
  const subjectOf = async (request: AdmissionRequest): Promise<readonly unknown[]> => {
    await door.validate(request);
    const { kind, metadata } = door.events.at(-1)!.about;
    return [kind, metadata.namespace, metadata.name, metadata.uid];
  };

  it('tells an updated object itself', async () => {
    const oldObject = podOf(['registry.example/old']);
    expect(await subjectOf(requestOf(podOf([image]), { oldObject }))).to.deep.equal([
      'Pod',
      'shop',
      'pod',
      'pod-uid',
    ]);
  });

  it('tells the controller of an object that does not exist yet', async () => {
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'Node', name: 'other' },
      { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'app-1', uid: 'rs', controller: true },
    ];
    const pod = podOf([image], { name: undefined, generateName: 'app-1-', ownerReferences });
    expect(await subjectOf({ ...requestOf(pod), name: '' })).to.deep.equal([
      'ReplicaSet',
      'shop',
      'app-1',
      'rs',
    ]);
    expect(door.events.at(-1)?.message).to.match(/^Pod app-1-\*: failed policy: production/);
  });

  it('tells the namespace of one that nothing controls', async () => {
    expect(await subjectOf(requestOf(podOf([image])))).to.deep.equal([
      'Namespace',
      'shop',
      'shop',
      undefined,
    ]);
  });

  it('logs what decided, briefly and in full', async () => {
    await door.validate(requestOf(podOf([image])));
    const [line] = door.lines;
    expect(line).to.include({
      ...{
        decision: 'denied',
        policy: 'production',
        check: 'static',
        code: 'ERR_POLICY_STATIC',
        user: 'alice',
      },
      ...{ operation: 'CREATE', path: 'spec.containers[0].image', uid: 'review-uid' },
    });
    expect(line?.['summary']).to.equal(
      `denied: Pod pod: ${image} (policy production, check static, ERR_POLICY_STATIC)`,
    );
    expect(line?.['explanation']).to.include('policy production (enforce, strict): failed');
  });

  it('lets no text of an object deceive a reader', async () => {
    await door.validate(requestOf(podOf(['evil\u202egpj.exe\u0000\n'])));
    const told = [door.lines[0]?.['summary'], door.events[0]?.message];
    expect(told.join(''))
      .to.include('evil')
      .and.not.match(/[\p{Cc}\p{Cf}]/u);
  });
});
