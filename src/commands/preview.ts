import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-code.ts';
import { formatPreview } from './preview/preview-text.ts';
import { previewRun } from './preview/run-preview.ts';
import type { RunPreview } from './preview/run-preview.ts';
import { readInput } from './wiring/input-file.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { readSettings } from './wiring/settings.ts';
import { fileFault, isTaskRun, readObjects } from './wiring/task-run-documents.ts';

interface PreviewFlags {
  readonly filename: string;
  readonly config?: string;
  readonly output: OutputFormat;
}

const registryCaveat =
  'No registry was asked: an image that it does not hold is not signed; for an image index, each of its platform ' +
  'manifests is signed as well, and listed as a subject of the provenance.';
const sbomCaveat = 'An SBOM of each image is attested as well; it is made from the image itself.';

/** `chainwright preview`. */
export function previewCommand(context: CommandContext): Command {
  return new Command('preview')
    .description('print the statements that TaskRuns would get, and why; signs nothing, asks nobody')
    .requiredOption(
      '-f, --filename <file>',
      'YAML or JSON with TaskRuns or lists of them; - is standard input',
    )
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 1 if a result of a run cannot be read, 2 for a file without TaskRuns.

Examples:
  chainwright preview -f taskrun.yaml
  kubectl get taskrun build-1 -o yaml | chainwright preview -f - --config chainwright.yaml
  chainwright preview -f taskruns.yaml --output json | jq '.runs[].artifacts[] | select(.kind == "provenance").payload'`,
    )
    .action(async (flags: PreviewFlags) => {
      await runPreview(flags, context);
    });
}

async function runPreview(flags: PreviewFlags, { environment, signal }: CommandContext): Promise<void> {
  const { settings, notices } = await readSettings({ configFile: flags.config, environment });
  const text = await readInput(flags.filename, { signal });
  const file = flags.filename === '-' ? 'standard input' : flags.filename;
  const objects = readObjects(text, file);
  const found = objects.filter(isTaskRun);
  if (found.length === 0) throw fileFault(file, 'holds no TaskRun');
  const runs = found.map(({ value }) => previewRun(value, settings));
  const notes = [
    ...(runs.some(namesImages) ? [registryCaveat, ...(settings.sbom.enabled ? [sbomCaveat] : [])] : []),
    ...objects
      .filter((object) => !isTaskRun(object))
      .map(({ kind }) => `A ${kind || 'document without kind'} was left out: it is no TaskRun.`),
    ...notices.filter(({ level }) => level === 'warning').map(({ name, message }) => `${name}: ${message}`),
  ];
  process.stdout.write(
    formatOutput({ runs, notes }, flags.output, () =>
      [...runs.map(formatPreview), ...notes.map((note) => `${note}\n`)].join('\n'),
    ),
  );
  if (runs.some(hasError)) process.exitCode = exitCodes.checkFailed;
}

function hasError({ problems }: RunPreview): boolean {
  return problems.some(({ severity }) => severity === 'error');
}

function namesImages({ outcome, subjects }: RunPreview): boolean {
  return outcome === 'signed' && subjects.some(({ image }) => image);
}
