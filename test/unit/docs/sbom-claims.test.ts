import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { markClaim } from '../../../src/attestation/builder-claim-mark.ts';
import { digestOf } from '../../../src/model/digest.ts';
import { predicateTypes } from '../../../src/statements/statement.ts';
import { openTestEngine, patience } from '../policy/test-engine.ts';

describe('docs/sbom.md', () => {
  it('has a policy that takes what we observed and refuses a claim, whatever that says of itself', async () => {
    const text = await readFile(new URL('../../../docs/sbom.md', import.meta.url), 'utf8');
    const [, data = ''] = /```cue\n([\s\S]*?)```/.exec(text) ?? [];
    const document = {
      bomFormat: 'CycloneDX',
      metadata: {
        tools: { components: [{ name: 'chainwright' }] },
        properties: [{ name: 'chainwright:gap', value: 'npm: package.json' }],
      },
    };
    const predicateType = predicateTypes.cycloneDx;
    const claim = markClaim(
      { predicateType, document, namedDigests: [] },
      { source: 'file', location: 'x', bytes: Buffer.from(''), digest: digestOf(''), isBound: true },
    );
    await using engine = openTestEngine();
    const policy = await engine.compile({ type: 'cue', data, object: 'docs' }, { signal: patience });
    for (const mode of ['strict', 'permissive'] as const) {
      const verdicts = [document, { ...document, metadata: {} }, claim].map(async (predicate) => {
        const judged = Buffer.from(JSON.stringify({ predicateType, predicate }));
        return (await policy.evaluate(judged, { mode, signal: patience })).passed;
      });
      expect(await Promise.all(verdicts), mode).to.deep.equal([true, true, false]);
    }
  }).timeout(120_000);
});
