import { Command, CommanderError } from 'commander';
import { messageOf } from '../model/errors.ts';
import { describeFailure, exitCodeOf, exitCodes } from './exit-code.ts';
import type { CommandContext } from './command-context.ts';
import { withGoFlags } from './go-flags.ts';
import { packageVersion } from './wiring/version.ts';

const commands = [
  { name: 'attest', load: async () => (await import('./attest.ts')).attestCommand(context) },
  { name: 'backfill', load: async () => (await import('./backfill.ts')).backfillCommand(context) },
  { name: 'controller', load: async () => (await import('./controller.ts')).controllerCommand(context) },
  { name: 'demo', load: async () => (await import('./demo.ts')).demoCommand(context) },
  { name: 'doctor', load: async () => (await import('./doctor.ts')).doctorCommand(context) },
  { name: 'explain', load: async () => (await import('./explain.ts')).explainCommand(context) },
  { name: 'layout', load: async () => (await import('./layout.ts')).layoutCommand(context) },
  { name: 'local', load: async () => (await import('./local.ts')).localCommand(context) },
  { name: 'log', load: async () => (await import('./log.ts')).logCommand(context) },
  { name: 'monitor', load: async () => (await import('./monitor.ts')).monitorCommand(context) },
  { name: 'policy', load: async () => (await import('./policy.ts')).policyCommand(context) },
  { name: 'preview', load: async () => (await import('./preview.ts')).previewCommand(context) },
  { name: 'sbom', load: async () => (await import('./sbom.ts')).sbomCommand(context) },
  { name: 'settings', load: async () => (await import('./settings.ts')).settingsCommand(context) },
  { name: 'sign', load: async () => (await import('./sign.ts')).signCommand(context) },
  { name: 'sign-blob', load: async () => (await import('./sign-blob.ts')).signBlobCommand(context) },
  { name: 'triangulate', load: async () => (await import('./triangulate.ts')).triangulateCommand(context) },
  { name: 'trust-root', load: async () => (await import('./trust-root.ts')).trustRootCommand(context) },
  { name: 'verify', load: async () => (await import('./verify.ts')).verifyCommand(context) },
  {
    name: 'verify-attestation',
    load: async () => (await import('./verify-attestation.ts')).verifyAttestationCommand(context),
  },
  { name: 'verify-blob', load: async () => (await import('./verify-blob.ts')).verifyBlobCommand(context) },
  { name: 'webhook', load: async () => (await import('./webhook.ts')).webhookCommand(context) },
];

const stopping = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.once(name, () => {
    stopping.abort(new DOMException(`stopped by ${name}`, 'AbortError'));
  });
}

const context: CommandContext = { environment: process.env, signal: stopping.signal };
const program = new Command('chainwright')
  .description('Signs and attests what Tekton builds.')
  .version(packageVersion())
  .exitOverride();
for (const command of await loadCommands(process.argv[2])) program.addCommand(command.exitOverride());

try {
  await program.parseAsync([...withGoFlags(process.argv)]);
} catch (error) {
  process.exitCode = report(error);
}

/** Only the command that is meant is loaded: the controller need not carry what the others import. */
async function loadCommands(name: string | undefined): Promise<readonly Command[]> {
  const meant = commands.find((command) => command.name === name);
  return Promise.all((meant === undefined ? commands : [meant]).map(({ load }) => load()));
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.good : exitCodes.wrongUsage;
  if (stopping.signal.aborted && error === stopping.signal.reason) {
    process.stderr.write(`${messageOf(error)}\n`);
    return exitCodes.checkFailed;
  }
  process.stderr.write(`${describeFailure(error)}\n`);
  return exitCodeOf(error);
}
