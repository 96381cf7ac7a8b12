import { extname } from 'node:path';
import { usageFault } from '../policy/usage-fault.ts';
import { readInput } from '../wiring/input-file.ts';

/** An attestation that a ClusterImagePolicy asks for, as its object has it. */
export interface DemandedAttestation {
  readonly name: string;
  readonly predicateType: string;
  readonly policy?: { readonly type: 'cue' | 'rego'; readonly data: string };
}

const languages: Readonly<Record<string, 'cue' | 'rego'>> = { '.cue': 'cue', '.rego': 'rego' };

/** What `--type` and `--policy` ask for: each policy on its own. Throws ERR_USAGE_FLAGS, ERR_USAGE_FILE. */
export async function attestationsOf(
  { type, policy = [] }: { readonly type: string; readonly policy?: readonly string[] },
  options: { readonly signal: AbortSignal },
): Promise<readonly DemandedAttestation[]> {
  if (policy.length === 0) return [{ name: 'attestation', predicateType: type }];
  return Promise.all(
    policy.map(async (file, index) => {
      const language = languages[extname(file)];
      if (language === undefined) {
        throw usageFault(`${file} is neither CUE nor Rego`, 'Let the name end in .cue or .rego.');
      }
      const data = await readInput(file, options);
      return { name: `policy-${index + 1}`, predicateType: type, policy: { type: language, data } };
    }),
  );
}
