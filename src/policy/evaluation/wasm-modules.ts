import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { z } from 'zod';

import { AppError, messageOf } from '../../model/errors.ts';

/** The policy languages of a ClusterImagePolicy. */
export const policyLanguages = ['cue', 'rego'] as const;
export type PolicyLanguage = (typeof policyLanguages)[number];

/** The committed modules and their hashes, beside `src/` or `dist/`. */
export const modulesFolder: URL = new URL('../../../policy-engine/modules/', import.meta.url);

const entrySchema = z.object({
  file: z.string(),
  sha256: z.string(),
  bytes: z.number(),
  compressedBytes: z.number(),
});

/** `lock.json`: what the modules were built of, and what came out. */
const lockSchema = z.object({
  go: z.string(),
  versions: z.record(z.string(), z.string()),
  modules: z.object({ cue: entrySchema, rego: entrySchema }),
});
export type ModulesLock = z.infer<typeof lockSchema>;

const decompress = promisify(brotliDecompress);

/** Reads `lock.json` of a folder of modules. */
export async function readLock(folder: URL): Promise<ModulesLock> {
  return lockSchema.parse(JSON.parse(await readFile(new URL('lock.json', folder), 'utf8')));
}

/** The uncompressed module of a language, its SHA-256 checked against the lock. */
export async function readModule(language: PolicyLanguage, folder: URL): Promise<Buffer<ArrayBuffer>> {
  const { file, sha256, bytes } = (await readLock(folder)).modules[language];
  const compressed = await readFile(new URL(file, folder));
  // In one piece: joining chunks would take the size of the module twice more.
  const module = await decompress(compressed, { maxOutputLength: bytes, chunkSize: bytes + 1 });
  const found = createHash('sha256').update(module).digest('hex');
  if (found !== sha256) throw new Error(`${file} has SHA-256 ${found}, the lock says ${sha256}`);
  return module;
}

/** Reads and compiles the module of a language. Throws ERR_POLICY_ENGINE_MODULE if it is absent or not the locked one. */
export async function loadModule(language: PolicyLanguage, folder: URL): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(await readModule(language, folder));
  } catch (cause) {
    throw new AppError(
      'ERR_POLICY_ENGINE_MODULE',
      `the ${language} evaluator cannot be loaded: ${messageOf(cause)}`,
      {
        kind: 'permanent',
        object: `policy-engine/modules/${language}`,
        remedy: 'Install Chainwright again: policy-engine/modules is absent, changed or of another release.',
        cause,
      },
    );
  }
}
