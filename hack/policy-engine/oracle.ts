import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

import { goToolchainReady } from '../stack/build/toolchain.ts';
import { run } from '../stack/process/run.ts';
import type { Pair } from './corpus.ts';

const oracleFolder = fileURLToPath(new URL('../../policy-engine/oracle/', import.meta.url));

const answerSchema = z.array(
  z.object({
    name: z.string(),
    passed: z.boolean(),
    error: z.string().optional(),
    warning: z.string().optional(),
  }),
);

/** What the reference's own code, natively built, says of each pair, in their order. */
export type ReferenceVerdict = z.infer<typeof answerSchema>[number];

/** Builds cosign's evaluation code natively and has it judge the pairs. */
export async function askReference(pairs: readonly Pair[]): Promise<ReferenceVerdict[]> {
  const go = await goToolchainReady();
  const scratch = await mkdtemp(join(tmpdir(), 'policy-oracle-'));
  try {
    const program = join(scratch, 'oracle');
    await run('nice', ['-n', '5', go.program, 'build', '-trimpath', '-o', program, '.'], {
      cwd: oracleFolder,
      env: go.env,
    });
    return answerSchema.parse(JSON.parse(await run(program, [], { input: JSON.stringify(pairs), env: {} })));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
