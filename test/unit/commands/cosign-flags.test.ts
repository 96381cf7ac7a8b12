import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect } from 'chai';
import { attestCommand } from '../../../src/commands/attest.ts';
import { explainCommand } from '../../../src/commands/explain.ts';
import { signBlobCommand } from '../../../src/commands/sign-blob.ts';
import { signCommand } from '../../../src/commands/sign.ts';
import { triangulateCommand } from '../../../src/commands/triangulate.ts';
import { addCommand } from '../../../src/commands/trust-root/add.ts';
import { verifyAttestationCommand } from '../../../src/commands/verify-attestation.ts';
import { verifyBlobCommand } from '../../../src/commands/verify-blob.ts';
import { verifyCommand } from '../../../src/commands/verify.ts';
import { codeOf } from '../signing/codes.ts';

const context = { environment: {}, signal: new AbortController().signal };
const commands = [
  signCommand,
  signBlobCommand,
  attestCommand,
  verifyCommand,
  verifyAttestationCommand,
  verifyBlobCommand,
  triangulateCommand,
];
/** Flags that change nothing: what they ask for is so already, or is no user's matter. */
const granted = [
  'check-claims',
  'experimental-oci11',
  'insecure-skip-verify',
  'max-workers',
  'new-bundle-format',
  'offline',
  'oidc-disable-ambient-providers',
  'rekor-entry-type',
  'signing-algorithm',
  'upload',
  'use-signing-config',
];
const usual: Readonly<Record<string, string>> = {
  'check-claims': 'true',
  'rekor-entry-type': 'dsse',
  'signing-algorithm': 'ecdsa-sha2-256-nistp256',
  upload: 'true',
};
const fixture = new URL('../../fixtures/cosign-flags/cosign-3.1.3.json', import.meta.url);
const flagsOf = JSON.parse(readFileSync(fixture, 'utf8')) as Record<string, readonly string[]>;

/** The code with which reading the flag ends; the command itself is not run. */
function outcomeOf(command: Command, name: string, value: string): string {
  const option = command.options.find(({ long }) => long === `--${name}`);
  const given = option?.isBoolean() === true ? [`--${name}`] : [`--${name}`, value];
  return codeOf(() => command.parseOptions(given));
}

describe('flags of cosign', () => {
  for (const open of [...commands, explainCommand, addCommand]) {
    it(`of ${open(context).name()} take one value each, so that the argument may follow them`, () => {
      expect(open(context).options.filter(({ variadic }) => variadic)).to.deep.equal([]);
    });
  }

  it('that are given more than once are all taken, and so is what follows them', () => {
    const command = verifyAttestationCommand(context);
    const { operands } = command.parseOptions(['--policy', 'a.cue', '--policy', 'b.rego', 'image']);
    expect(operands).to.deep.equal(['image']);
    expect(command.opts()).to.deep.include({ policy: ['a.cue', 'b.rego'] });
  });

  for (const open of commands) {
    const name = open(context).name();
    it(`are all known by ${name}`, () => {
      const known = new Set(open(context).options.map(({ long }) => long));
      expect(flagsOf[name]?.filter((flag) => !known.has(`--${flag}`))).to.deep.equal([]);
    });

    it(`work with ${name}, or are refused with ERR_USAGE_FLAGS: none is passed over`, () => {
      const hidden = open(context).options.filter((option) => option.hidden);
      expect(hidden).not.to.deep.equal([]);
      const outcomes = hidden.map(({ long = '' }) => {
        const flag = long.slice(2);
        return [flag, outcomeOf(open(context), flag, usual[flag] ?? 'value')];
      });
      const expected = hidden.map(({ long = '' }) => {
        const flag = long.slice(2);
        return [flag, granted.includes(flag) ? 'passed' : 'ERR_USAGE_FLAGS'];
      });
      expect(outcomes).to.deep.equal(expected);
    });
  }

  for (const [open, flag] of [
    [signCommand, 'upload'],
    [verifyCommand, 'check-claims'],
    [verifyAttestationCommand, 'check-claims'],
    [signBlobCommand, 'signing-algorithm'],
    [attestCommand, 'rekor-entry-type'],
  ] as const) {
    it(`refuse another value of --${flag} than the usual one with ERR_USAGE_FLAGS, ${open(context).name()}`, () => {
      expect(outcomeOf(open(context), flag, 'false')).to.equal('ERR_USAGE_FLAGS');
    });
  }
});
