import { Command, CommanderError } from 'commander';
import { controllerCommand } from './controller.ts';
import { describeFailure, exitCodeOf, exitCodes } from './exit-code.ts';
import { previewCommand } from './preview.ts';
import { packageVersion } from './wiring/version.ts';

const stopping = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.once(name, () => {
    stopping.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
  });
}

const context = { environment: process.env, signal: stopping.signal };
const program = new Command('chainwright')
  .description('Signs and attests what Tekton builds.')
  .version(packageVersion())
  .addCommand(controllerCommand(context))
  .addCommand(previewCommand(context))
  .exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.good : exitCodes.wrongUsage;
  process.stderr.write(`${describeFailure(error)}\n`);
  return exitCodeOf(error);
}
