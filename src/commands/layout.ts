import { Command } from 'commander';
import type { CommandContext } from './command-context.ts';
import { signLayoutCommand } from './layout/sign-layout.ts';
import { verifyLayoutCommand } from './layout/verify-layout.ts';

/** `chainwright layout`. */
export function layoutCommand(context: CommandContext): Command {
  return new Command('layout')
    .description(
      'in-toto layouts: which steps a supply chain has, who carries them out, and what they may change',
    )
    .addCommand(signLayoutCommand(context).exitOverride())
    .addCommand(verifyLayoutCommand(context).exitOverride());
}
