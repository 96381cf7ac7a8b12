import { styleText } from 'node:util';
import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { openDemoScene } from './demo/demo-scene.ts';
import { demoSteps } from './demo/demo-steps.ts';

/** `chainwright demo`. */
export function demoCommand(context: CommandContext): Command {
  return new Command('demo')
    .description('show the whole job on embedded parts: a TaskRun is signed, attested, logged and verified')
    .addHelpText(
      'after',
      `
Needs no cluster, network or registry. Everything lies in .demo in the current folder, which is wiped first.
Its Fulcio and Rekor are a DEVELOPMENT SIGSTORE inside the process: nobody else trusts it.

Examples:
  chainwright demo
  chainwright demo && cat .demo/state/runs/ci/example-build.json`,
    )
    .action(async () => {
      await runDemo(context);
    });
}

async function runDemo({ signal }: CommandContext): Promise<void> {
  const startedMs = performance.now();
  await using closing = new AsyncDisposableStack();
  const scene = await openDemoScene(closing, signal);
  for (const [index, step] of demoSteps.entries()) {
    const { title, lines } = await step(scene);
    print(`${heading(`${index + 1}. ${title}`)}\n${lines.map((line) => `   ${line}\n`).join('')}`);
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  print(
    `Done in ${seconds} s. With a cluster: chainwright controller --help; without: chainwright local --help\n`,
  );
}

/** Bold on a terminal that shows it; NO_COLOR and pipes are honoured. */
function heading(text: string): string {
  return styleText('bold', text, { stream: process.stdout });
}

function print(text: string): void {
  process.stdout.write(text);
}
