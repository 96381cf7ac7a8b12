import { extname } from 'node:path';
import type { CompiledPolicy, PolicyEngine } from '../../policy/evaluation/policy-engine.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { readInput } from '../wiring/input-file.ts';

/** A policy of the command line that compiles. */
export interface PolicyFile {
  readonly file: string;
  readonly policy: CompiledPolicy;
}

const languages: Readonly<Record<string, 'cue' | 'rego'>> = { '.cue': 'cue', '.rego': 'rego' };

/** Reads and compiles the files of `--policy`. Throws ERR_USAGE_FLAGS, ERR_USAGE_FILE, and what the engine's compiling throws. */
export async function compilePolicyFiles(
  files: readonly string[],
  { engine, signal }: { readonly engine: Pick<PolicyEngine, 'compile'>; readonly signal: AbortSignal },
): Promise<readonly PolicyFile[]> {
  return Promise.all(
    files.map(async (file) => {
      const type = languages[extname(file)];
      if (type === undefined) {
        throw usageFault(`${file} is neither CUE nor Rego`, 'Let the name end in .cue or .rego.');
      }
      const data = await readInput(file, { signal });
      return { file, policy: await engine.compile({ type, data, object: file }, { signal }) };
    }),
  );
}
