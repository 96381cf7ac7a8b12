import { expect } from 'chai';
import { runsCheck } from '../../../../src/commands/doctor/checks/runs.ts';
import type { SigningParts } from '../../../../src/commands/doctor/examination.ts';
import type { KubeClient } from '../../../../src/kube/kube-client.ts';
import type { KubeObject } from '../../../../src/kube/kube-object.ts';
import { settingsSchema } from '../../../../src/settings/settings-schema.ts';

function runOf(name: string, annotations: Readonly<Record<string, string>>, managedBy?: string): KubeObject {
  return {
    ...{ apiVersion: 'tekton.dev/v1', kind: 'TaskRun' },
    metadata: { name, namespace: 'team', annotations },
    spec: { managedBy },
    status: {
      conditions: [{ type: 'Succeeded', status: 'True' }],
      completionTime: '2026-03-01T00:00:00Z',
    },
  };
}

function partsWith(runs: readonly KubeObject[]): SigningParts {
  const client: Pick<KubeClient, 'listPages'> = {
    // eslint-disable-next-line @typescript-eslint/require-await -- the interface is that of a call to a server
    async *listPages() {
      yield { items: runs, resourceVersion: '1' };
    },
  };
  const settings = settingsSchema.parse({ controller: { managedBy: ['kueue.x-k8s.io'] } });
  const clock = { now: () => new Date('2026-03-01T01:00:00Z') };
  return { client, settings, clock, signal: new AbortController().signal } as unknown as SigningParts;
}

describe('the runs that doctor looks at', () => {
  it('are complained of if they wait for their signature, and not if they are unsigned on purpose', async () => {
    const skipped = { 'chainwright.dev/result': 'skipped' };
    const error = { 'chainwright.dev/error': 'ERR_REKOR_AWAY: away' };
    const runs = [
      runOf('waiting', {}),
      runOf('delayed', error),
      runOf('wanted-again', { ...skipped, ...error }),
      runOf('queued', {}, 'kueue.x-k8s.io'),
      runOf('signed', { 'chains.tekton.dev/signed': 'true' }),
      runOf('skipped', skipped),
      runOf('foreign', {}, 'foreign.example'),
    ];
    const { look } = runsCheck;
    const found = await (look as (parts: SigningParts) => ReturnType<typeof look>)(partsWith(runs));
    expect(found).to.deep.equal([
      {
        id: 'run-unsigned',
        object: '4 TaskRuns',
        message: 'team/waiting, team/delayed, team/wanted-again, team/queued',
      },
    ]);
  });
});
