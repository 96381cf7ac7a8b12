import { expect } from 'chai';
import { leasesCheck } from '../../../../src/commands/doctor/checks/leases.ts';
import { neverIssued } from '../../../../src/commands/doctor/checks/never-issued.ts';
import { neededRights, rightsCheck } from '../../../../src/commands/doctor/checks/rights.ts';
import type { ClusterParts, SettingsReading } from '../../../../src/commands/doctor/examination.ts';
import type { Discovery } from '../../../../src/commands/doctor/finding-table.ts';
import { readReleasedRights } from '../../../../src/commands/doctor/released-manifests.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import type { ResourceType } from '../../../../src/kube/resource-type.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

const account = { namespace: 'tekton-chains', name: 'tekton-chains-controller' };
const ownUser = 'system:serviceaccount:tekton-chains:tekton-chains-controller';
const noSettings = { fault: new AppError('ERR_SETTINGS_INVALID', 'broken', { kind: 'permanent' }) };

function refused(code = 'ERR_KUBE_FORBIDDEN'): AppError {
  return new AppError(code, 'no', { kind: 'permanent' });
}

/** What the API server says to an account. */
interface Answers {
  readonly list?: (type: ResourceType, namespace: string | undefined) => readonly KubeObject[];
  readonly review?: (kind: string, spec: Readonly<Record<string, unknown>>) => object;
}

function partsWith({ list, review }: Answers): ClusterParts {
  const client = {
    get: ({ kind }: ResourceType, metadata: object) => Promise.resolve({ kind, metadata }),
    list: (type: ResourceType, { namespace }: { readonly namespace?: string }) =>
      Promise.try(() => ({ items: list?.(type, namespace) ?? [] })),
    review: ({ kind }: ResourceType, spec: Readonly<Record<string, unknown>>) =>
      Promise.try(() => review?.(kind, spec)),
  };
  const { signal } = new AbortController();
  return { client, account, clock: new VirtualClock(), signal } as unknown as ClusterParts;
}

function idsOf(found: readonly Discovery[]): readonly (readonly string[])[] {
  return found.map(({ id, object }) => [id, object]);
}

describe('doctor as an account that may not look at everything', () => {
  const look = async (
    check: typeof leasesCheck,
    answers: Answers,
  ): Promise<readonly (readonly string[])[]> => {
    if (check.needs !== 'cluster') throw new Error('it needs settings');
    return idsOf(await check.look(partsWith(answers), noSettings satisfies SettingsReading));
  };

  describe('looks at Leases', () => {
    const stale = (namespace: string): KubeObject => ({
      ...{ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' },
      metadata: { name: 'one', namespace, labels: { 'chainwright.dev/lease-group': 'controller' } },
      spec: { holderIdentity: 'gone', renewTime: '2020-01-01T00:00:00.000000Z', leaseDurationSeconds: 10 },
    });

    it('of its own namespace where it may not see more', async () => {
      const list = (_: ResourceType, namespace: string | undefined): readonly KubeObject[] => {
        if (namespace === undefined) throw refused();
        return [stale(namespace)];
      };
      expect(await look(leasesCheck, { list })).to.deep.equal([
        ['not-checked', 'Leases of other namespaces'],
        ['lease-stale', 'Leases tekton-chains/controller'],
      ]);
    });

    it('of all namespaces where it may', async () => {
      const list = (): readonly KubeObject[] => [stale('chainwright-monitor')];
      expect(await look(leasesCheck, { list })).to.deep.equal([
        ['lease-stale', 'Leases chainwright-monitor/controller'],
      ]);
    });
  });

  describe('asks for rights', () => {
    const as =
      (username: string, mayDelete: boolean): Required<Answers>['review'] =>
      (kind, spec) => {
        if (kind === 'SubjectAccessReview') throw refused();
        if (kind === 'SelfSubjectReview') return { status: { userInfo: { username } } };
        const { verb, resource } = spec['resourceAttributes'] as Record<string, unknown>;
        return { status: { allowed: mayDelete || verb !== 'delete' || resource !== 'leases' } };
      };
    const others = [
      ['not-checked', 'ServiceAccount tekton-chains/chainwright-webhook'],
      ['not-checked', 'ServiceAccount chainwright-monitor/chainwright-monitor'],
    ];

    it('of its own, and says whose it could not ask for', async () => {
      expect(await look(rightsCheck, { review: as(ownUser, true) })).to.have.deep.members(others);
      expect(await look(rightsCheck, { review: as(ownUser, false) })).to.have.deep.members([
        ['right-missing', `ServiceAccount ${account.namespace}/${account.name}`],
        ...others,
      ]);
    });

    it('of nobody where it is somebody else, or is not told who it is', async () => {
      const own = ['not-checked', `ServiceAccount ${account.namespace}/${account.name}`];
      const ids = [own, ...others];
      expect(await look(rightsCheck, { review: as('jane', false) })).to.have.deep.members(ids);
      const review: Answers['review'] = (kind, spec) => {
        if (kind === 'SelfSubjectReview') throw refused('ERR_KUBE_NOT_FOUND');
        return as(ownUser, false)(kind, spec);
      };
      expect(await look(rightsCheck, { review })).to.have.deep.members(ids);
    });

    it('of every account where it may', async () => {
      const asked = new Set<unknown>();
      const review: Answers['review'] = (kind, { user }) => {
        expect(kind).to.equal('SubjectAccessReview');
        asked.add(user);
        return { status: { allowed: true } };
      };
      expect(await look(rightsCheck, { review })).to.deep.equal([]);
      const known = neededRights(await readReleasedRights(), account).map(
        ({ account: { namespace, name } }) => `system:serviceaccount:${namespace}:${name}`,
      );
      expect(asked).to.deep.equal(new Set(known));
    });
  });

  it('says that it could not compare subjects with policies, and nothing else', async () => {
    const identity = { subject: 'us', issuer: 'https://issuer' } as Parameters<typeof neverIssued>[0];
    const list = (): never => {
      throw refused();
    };
    expect(idsOf(await neverIssued(identity, partsWith({ list })))).to.deep.equal([
      ['not-checked', 'subjects that policies ask for'],
    ]);
    const away = (): never => {
      throw refused('ERR_KUBE_UNREACHABLE');
    };
    const thrown: unknown = await neverIssued(identity, partsWith({ list: away })).catch(
      (error: unknown) => error,
    );
    expect(thrown).to.have.property('code', 'ERR_KUBE_UNREACHABLE');
  });
});
