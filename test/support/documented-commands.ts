import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../hack/stack/process/run.ts';
import type { Stack } from '../../hack/stack/stack.ts';
import { checkout } from './chainwright-process.ts';

/**
 * Runs the commands of a section of docs/install.md as the cluster's administrator, as a user copies them; with an overlay of the
 * user's own in place of the public one. A section with several blocks of commands has its first one run, or that with `words`.
 */
export async function runDocumented(
  { bin, kubeconfig }: Stack,
  section: string,
  overlay: string,
  words = '',
): Promise<string> {
  const text = await readFile(join(checkout, 'docs/install.md'), 'utf8');
  const [, after = ''] = text.split(new RegExp(`^#+ ${section}$`, 'm'));
  const blocks = [...after.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const commands = blocks.find((block) => block.includes(words));
  if (commands === undefined) throw new Error(`docs/install.md has no commands under ${section}`);
  const env = { PATH: `${bin}:/usr/bin:/bin`, HOME: tmpdir(), KUBECONFIG: kubeconfig };
  return run('sh', ['-euc', commands.replaceAll('config/overlays/public', overlay)], { cwd: checkout, env });
}
