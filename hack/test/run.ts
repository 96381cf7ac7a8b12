/**
 * Runs the named suites one after the other and ends with one line, `N passed, N failed`, and an exit code of 1 if
 * anything failed. Suites: check, unit, integration, e2e, full, cluster. From the third on they need the local stack, which is
 * started if it is down and stopped again if it was this run that started it; that of cluster has a node.
 *
 *   node hack/test/run.ts check unit integration e2e [--full]
 *
 * `--full` makes outages long and counts large.
 */
import { parseArgs } from 'node:util';
import { describeFailure } from './results.ts';
import type { FailureInFile } from './results.ts';
import { runChecks, runMocha } from './suites.ts';
import type { Tally } from './suites.ts';
import { withStack } from './stack-session.ts';

const stackSuites = ['integration', 'e2e', 'full'] as const;
const suiteNames = ['check', 'unit', ...stackSuites, 'cluster'] as const;
type SuiteName = (typeof suiteNames)[number];

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { full: { type: 'boolean' } },
  });
  const suites = positionals.map(parseSuite);
  const tallies: Tally[] = [];
  if (suites.includes('check')) tallies.push(...(await runChecks()));
  if (suites.includes('unit')) tallies.push(await runMocha('unit', { isRunAgain: true }));
  const onStack = stackSuites.filter((suite) => suites.includes(suite));
  if (onStack.length > 0) {
    await withStack(tallies, async (environment) => {
      const extra = values.full === true ? { ...environment, CHAINWRIGHT_TEST_FULL: '1' } : environment;
      for (const suite of onStack) {
        tallies.push(await runMocha(suite, { environment: extra, isRunAgain: true }));
      }
    });
  }
  if (suites.includes('cluster')) {
    await withStack(
      tallies,
      async (environment) => {
        tallies.push(await runMocha('cluster', { environment }));
      },
      { node: true },
    );
  }
  report(tallies);
}

function parseSuite(name: string): SuiteName {
  const suite = suiteNames.find((candidate) => candidate === name);
  if (suite === undefined) throw new Error(`unknown suite "${name}": choose from ${suiteNames.join(', ')}`);
  return suite;
}

function report(tallies: readonly Tally[]): void {
  const width = Math.max(...tallies.map(({ name }) => name.length));
  console.log('\nsuite'.padEnd(width + 3) + 'passed  failed  seconds');
  for (const { name, passed, failed, seconds } of tallies) {
    console.log(
      `${name.padEnd(width + 2)}${String(passed).padStart(6)}  ${String(failed).padStart(6)}  ${seconds.toFixed(1).padStart(7)}`,
    );
  }
  list(
    'flaky: failed, then passed alone',
    tallies.flatMap(({ flaky = [] }) => flaky),
  );
  list(
    'failed',
    tallies.flatMap(({ failures = [] }) => failures),
  );
  const passed = tallies.reduce((sum, tally) => sum + tally.passed, 0);
  const failed = tallies.reduce((sum, tally) => sum + tally.failed, 0);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed`);
}

function list(heading: string, failures: readonly FailureInFile[]): void {
  if (failures.length > 0) console.log([`${heading}:`, ...failures.map(describeFailure)].join('\n'));
}

await main();
