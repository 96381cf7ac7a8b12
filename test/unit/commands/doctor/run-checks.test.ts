import { expect } from 'chai';
import type { Check } from '../../../../src/commands/doctor/examination.ts';
import {
  exitCodeOfFindings,
  formatDiagnosis,
  runChecks,
} from '../../../../src/commands/doctor/run-checks.ts';
import type { ExaminationParts } from '../../../../src/commands/doctor/run-checks.ts';
import { AppError } from '../../../../src/model/errors.ts';

function partsWith(checkMs = 1000, signal = new AbortController().signal): ExaminationParts {
  const cluster = { signal } as ExaminationParts['cluster'];
  const fault = new AppError('ERR_SETTINGS_INVALID', 'broken', { kind: 'permanent' });
  return { cluster, settings: { fault }, signing: undefined, checkMs };
}

function check(name: string, look: Extract<Check, { needs: 'cluster' }>['look']): Check {
  return { name, needs: 'cluster', look };
}

const failing = (code: string, kind: 'passing' | 'permanent'): Check =>
  check(code, () => Promise.reject(new AppError(code, 'it did not work', { kind, object: 'server' })));

describe('the checks of doctor', () => {
  it('are all made, whatever one of them throws', async () => {
    const { checks, findings } = await runChecks(
      [
        failing('ERR_KUBE_FORBIDDEN', 'permanent'),
        failing('ERR_FULCIO_UNREACHABLE', 'passing'),
        failing('ERR_TRUST_ROOT', 'permanent'),
        check('bug', () => Promise.reject(new TypeError('not a function'))),
        check('good', () => Promise.resolve([])),
        check('chains', () =>
          Promise.resolve([{ id: 'chains-running', object: 'Deployment', message: '1 replica' }]),
        ),
      ],
      partsWith(),
    );
    expect(findings.map(({ id }) => id)).to.deep.equal([
      ...['unreachable', 'check-failed', 'check-failed', 'chains-running'],
      'not-checked',
    ]);
    expect(findings.every(({ remedy }) => remedy.length > 10)).to.equal(true);
    expect(checks.filter(({ outcome }) => outcome === 'good')).to.deep.equal([
      { check: 'good', outcome: 'good' },
    ]);
  });

  it('end when their time is over, or doctor is stopped', async () => {
    const endless = check('endless', async ({ signal }) => {
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      });
      return [];
    });
    const { findings } = await runChecks([endless], partsWith(20));
    expect(findings.map(({ id }) => id)).to.deep.equal(['unreachable']);
    const stopping = new AbortController();
    const running = runChecks([endless], partsWith(10_000, stopping.signal));
    stopping.abort(new Error('stopped'));
    expect(await running.catch((error: unknown) => (error as Error).message)).to.equal('stopped');
  });

  it('are skipped where they need settings that cannot be used', async () => {
    const signing: Check = { name: 'fulcio', needs: 'settings', look: () => Promise.resolve([]) };
    const diagnosis = await runChecks([signing], partsWith());
    expect(diagnosis).to.deep.equal({ checks: [{ check: 'fulcio', outcome: 'skipped' }], findings: [] });
    expect(formatDiagnosis(diagnosis)).to.equal(
      '0 checks made: nothing found\nnot made without settings: fulcio\n',
    );
  });

  it('decide the exit code by their errors alone', async () => {
    const codeOf = async (...made: readonly Check[]): Promise<number> =>
      exitCodeOfFindings((await runChecks(made, partsWith())).findings);
    const away = failing('ERR_FULCIO_UNREACHABLE', 'passing');
    expect(await codeOf(failing('ERR_KUBE_FORBIDDEN', 'permanent'))).to.equal(0);
    expect(await codeOf(away)).to.equal(3);
    expect(await codeOf(away, failing('ERR_TRUST_ROOT', 'permanent'))).to.equal(1);
  });

  it('leave control characters of the cluster out of a terminal', async () => {
    const odd = check('odd', () =>
      Promise.resolve([{ id: 'policy-glob', object: 'ClusterImagePolicy x', message: 'a\u001B[2Jb' }]),
    );
    const text = formatDiagnosis(await runChecks([odd], partsWith()));
    expect(text).to.include('warning  policy-glob  ClusterImagePolicy x').and.to.include('a?[2Jb');
    expect(text).to.match(/1 checks made: 1 warning\n$/);
  });
});
