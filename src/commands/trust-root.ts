import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { addCommand } from './trust-root/add.ts';
import { createCommand } from './trust-root/create.ts';
import { showCommand } from './trust-root/show.ts';
import { verifyTrustRootCommand } from './trust-root/verify.ts';

/** `chainwright trust-root`. */
export function trustRootCommand(context: CommandContext): Command {
  return new Command('trust-root')
    .description('make and check trusted_root.json, signing_config.json and the TrustRoot object')
    .addCommand(createCommand(context).exitOverride())
    .addCommand(addCommand(context).exitOverride())
    .addCommand(showCommand(context).exitOverride())
    .addCommand(verifyTrustRootCommand(context).exitOverride());
}
