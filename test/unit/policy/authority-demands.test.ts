import { expect } from 'chai';
import { startDevelopmentSigstore } from '../../../src/commands/development-sigstore/development-sigstore.ts';
import { demandsOf } from '../../../src/policy/authority-demands.ts';
import { parseTrustRoot } from '../../../src/signing/trust-root.ts';
import type { TrustRoot } from '../../../src/signing/trust-root.ts';
import { rejectionOf } from '../registry/rejection.ts';

describe('what an authority demands of evidence', () => {
  const roots: Record<string, TrustRoot> = {};
  const source = {
    findTrustRoot: (name = 'default') => Promise.resolve(roots[name]),
  };
  const keyless = { identities: [{ issuer: 'a', subject: 'b' }] };
  const key = { data: 'a' };

  before(async () => {
    for (const name of ['default', 'own', 'log', 'stamp']) {
      await using sigstore = await startDevelopmentSigstore();
      roots[name] = parseTrustRoot(JSON.stringify(sigstore.trustedRoot));
    }
  });

  /** Authority, then the witness in strict and in permissive mode. */
  const table: readonly (readonly [string, object, string, string])[] = [
    ['a keyless authority', { keyless }, 'log-or-timestamp', 'log'],
    [
      'a keyless authority with a trust root',
      { keyless: { ...keyless, trustRootRef: 'own' } },
      'log-or-timestamp',
      'unsafe-none',
    ],
    ['a keyless authority with a log', { keyless, ctlog: {} }, 'log', 'log'],
    ['an authority with a timestamp authority', { keyless, rfc3161timestamp: {} }, 'timestamp', 'timestamp'],
    ['a key', { key }, 'unsafe-none', 'unsafe-none'],
    ['a key with a log', { key, ctlog: { url: 'https://rekor.example' } }, 'log', 'log'],
    ['a key with a timestamp authority', { key, rfc3161timestamp: {} }, 'timestamp', 'timestamp'],
  ];
  for (const [what, authority, strict, permissive] of table) {
    it(`is, of ${what}, the witness ${strict}, in permissive mode ${permissive}`, async () => {
      for (const [evaluation, witness] of [
        ['strict', strict],
        ['permissive', permissive],
      ] as const) {
        const demands = await demandsOf({ name: 'a', ...authority }, { evaluation }, source);
        expect(demands.witness).to.equal(witness);
      }
    });
  }

  it('is, with a log, that the last log of the trust root it names is asked, and then its address', async () => {
    const url = 'https://rekor.example';
    const last = roots['log']?.material.tlogs.at(-1)?.baseURL;
    for (const [more, logs] of [
      [{ ctlog: { url } }, [url]],
      [{ ctlog: { trustRootRef: 'log', url } }, [last, url]],
      [{ ctlog: { trustRootRef: 'log' } }, [last]],
      [{ ctlog: {} }, undefined],
      [{ ctlog: { url }, rfc3161timestamp: {} }, undefined],
      [{}, undefined],
    ] as const) {
      const demands = await demandsOf({ name: 'a', keyless, ...more }, { evaluation: 'strict' }, source);
      expect(demands.searchLogs).to.deep.equal(logs);
    }
  });

  it('is a signed certificate timestamp, unless the policy leaves it out', async () => {
    const strict = { evaluation: 'strict' } as const;
    const lax = { ...keyless, insecureIgnoreSCT: true };
    expect((await demandsOf({ name: 'a', keyless }, strict, source)).requireSct).to.equal(true);
    expect((await demandsOf({ name: 'a', keyless: lax }, strict, source)).requireSct).to.equal(false);
    expect((await demandsOf({ name: 'a', key }, strict, source)).requireSct).to.equal(false);
  });

  it('is with ca-cert a certificate timestamp only where the trust root knows a certificate log', async () => {
    const { material, version } = roots['default']!;
    const without = {
      findTrustRoot: () => Promise.resolve({ material: { ...material, ctlogs: [] }, version }),
    };
    const own = { ...keyless, 'ca-cert': { data: 'a' } };
    const needsSct = async (given: object, from: typeof without | typeof source): Promise<boolean> =>
      (await demandsOf({ name: 'a', keyless: { ...own, ...given } }, { evaluation: 'strict' }, from))
        .requireSct;
    expect(await needsSct({}, source)).to.equal(true);
    expect(await needsSct({}, without)).to.equal(false);
    expect(await needsSct({ insecureIgnoreSCT: true }, source)).to.equal(false);
  });

  it('is judged by the trust roots that authority, log and timestamp authority name', async () => {
    const authority = {
      name: 'a',
      keyless: { ...keyless, trustRootRef: 'own' },
      ctlog: { trustRootRef: 'log' },
      rfc3161timestamp: { trustRootRef: 'stamp' },
    };
    const { trustRoot } = await demandsOf(authority, { evaluation: 'strict' }, source);
    const { material } = trustRoot;
    expect(material.certificateAuthorities).to.equal(roots['own']?.material.certificateAuthorities);
    expect(material.ctlogs).to.equal(roots['own']?.material.ctlogs);
    expect(material.tlogs).to.equal(roots['log']?.material.tlogs);
    expect(material.timestampAuthorities).to.equal(roots['stamp']?.material.timestampAuthorities);
    expect(trustRoot.version).to.not.equal(roots['own']?.version);
  });

  it('is refused with ERR_POLICY_REFERENCE where a trust root is not there', async () => {
    const strict = { evaluation: 'strict' } as const;
    const named = demandsOf({ name: 'a', keyless: { ...keyless, trustRootRef: 'none' } }, strict, source);
    expect(await rejectionOf(named)).to.include({ code: 'ERR_POLICY_REFERENCE' });
    const without = { findTrustRoot: () => Promise.resolve(undefined) };
    const fault = await rejectionOf(demandsOf({ name: 'a', keyless }, strict, without));
    expect(fault.code).to.equal('ERR_POLICY_REFERENCE');
    expect((await demandsOf({ name: 'a', key }, strict, without)).witness).to.equal('unsafe-none');
  });
});
