/**
 * Writes test/fixtures/policy/verdicts.json: what the reference says of each pair of the corpus, and where our strict
 * mode refuses what the reference lets pass.
 *
 *   node hack/policy-engine/verdicts.ts
 */
import { writeFile } from 'node:fs/promises';

import { isAppError } from '../../src/model/errors.ts';
import { openPolicyEngine } from '../../src/policy/evaluation/policy-engine.ts';
import type { PolicyEngine } from '../../src/policy/evaluation/policy-engine.ts';
import { modulesFolder, readLock } from '../../src/policy/evaluation/wasm-modules.ts';
import { corpusFolder, readPairs } from './corpus.ts';
import type { ExpectedVerdict, Pair } from './corpus.ts';
import { askReference } from './oracle.ts';

async function strictRefusals(engine: PolicyEngine, pair: Pair): Promise<string[]> {
  const signal = AbortSignal.timeout(60_000);
  try {
    const policy = await engine.compile(
      { type: pair.type, data: pair.policy, object: pair.name },
      { signal },
    );
    const { messages } = await policy.evaluate(Buffer.from(pair.document), { mode: 'strict', signal });
    await policy.release();
    return messages.map(({ reason, path }) => `${reason} ${path}`.trim());
  } catch (cause) {
    // The pair is one that ours refuses to compile: the test compares that with the reference's verdict.
    if (isAppError(cause)) return [];
    throw cause;
  }
}

const pairs = await readPairs();
const reference = await askReference(pairs);
const verdicts: Record<string, ExpectedVerdict> = {};
await using engine = openPolicyEngine({
  clock: { now: () => new Date(), sleep: () => Promise.resolve() },
  limits: { evaluateMs: 30_000, compileMs: 30_000 },
});
for (const [index, pair] of pairs.entries()) {
  const said = reference[index];
  if (said?.name !== pair.name) throw new Error(`the reference did not judge ${pair.name}`);
  const { name, ...verdict } = said;
  const strict = said.passed ? await strictRefusals(engine, pair) : [];
  verdicts[name] = strict.length === 0 ? verdict : { ...verdict, strict };
}
const { versions } = await readLock(modulesFolder);
await writeFile(
  new URL('verdicts.json', corpusFolder),
  `${JSON.stringify({ versions, verdicts }, undefined, 1)}\n`,
);
console.log(`${pairs.length} pairs`);
