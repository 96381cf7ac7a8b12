import { expect } from 'chai';
import { resourceTypes } from '../../../../src/kube/resource-type.ts';
import { AppError } from '../../../../src/model/errors.ts';
import { silentLog } from '../../../../src/model/log.ts';
import { ReportKinds } from '../../../../src/reconcilers/reports/report-kinds.ts';
import { VirtualClock } from '../../kube/virtual-clock.ts';

describe('ReportKinds', () => {
  it('asks again soon where the API server gave no answer that tells', async () => {
    const clock = new VirtualClock();
    const ending = new AbortController();
    let isAway = true;
    let asked = 0;
    const kinds = new ReportKinds({
      client: {
        listPages: async function* () {
          asked += 1;
          await Promise.resolve();
          if (isAway) throw new AppError('ERR_KUBE_UNREACHABLE', 'away', { kind: 'passing' });
          yield { items: [], resourceVersion: '1' };
        },
      },
      groups: [resourceTypes.policyReports.group],
      namespace: 'tekton-chains',
      onInstalled: () => undefined,
      clock,
      log: silentLog,
    });
    const running = kinds.run({ signal: ending.signal });
    await clock.advance(0);
    expect(kinds.installed()).to.deep.equal([]);
    isAway = false;
    await clock.advance(5000);
    expect(kinds.installed()).to.deep.equal([resourceTypes.policyReports]);
    await clock.advance(50_000);
    expect(asked).to.equal(2);
    ending.abort();
    await running;
  });
});
