import { hash } from 'node:crypto';
import { Command } from 'commander';
import { X509Certificate } from 'node:crypto';
import type {
  AuthorityInstance,
  LogInstance,
  TrustedRootDocument,
  Validity,
} from '../../signing/trusted-root-document.ts';
import { stateAt } from '../../signing/validity-check.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { formatOutput, outputOption } from '../wiring/output-format.ts';
import type { OutputFormat } from '../wiring/output-format.ts';
import { formatTable } from '../wiring/table.ts';
import { readTrustedRoot } from './trust-document.ts';

interface ShownService {
  readonly kind: 'log' | 'certificate-log' | 'certificate-authority' | 'timestamp-authority';
  readonly url: string;
  /** Name of a `PublicKeyDetails`, or the subject of the root. */
  readonly key: string;
  /** Hex: the log's id, or the SHA-256 of the root certificate. */
  readonly id: string;
  readonly from: string | undefined;
  readonly until: string | undefined;
  readonly state: 'current' | 'ended' | 'future';
}

/** `chainwright trust-root show`. */
export function showCommand({ signal }: CommandContext): Command {
  return new Command('show')
    .description('list what a trusted_root.json or a TrustRoot object trusts')
    .argument('<file>', '- is standard input')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Examples:
  chainwright trust-root show trusted_root.json
  kubectl get trustroot golems -o yaml | chainwright trust-root show - -o json`,
    )
    .action(async (file: string, flags: { readonly output: OutputFormat }) => {
      const services = listServices(await readTrustedRoot(file, { signal }), systemClock.now());
      process.stdout.write(formatOutput({ services }, flags.output, () => `${tableOf(services)}\n`));
    });
}

/** Everything that a trust root trusts, with its state at `now`. */
export function listServices(root: TrustedRootDocument, now: Date): readonly ShownService[] {
  const windowOf = (validFor: Validity | undefined): Pick<ShownService, 'from' | 'until' | 'state'> => ({
    from: validFor?.start,
    until: validFor?.end,
    state: stateAt(validFor, now),
  });
  const log =
    (kind: ShownService['kind']) =>
    ({ baseUrl, publicKey, logId }: LogInstance): ShownService => ({
      kind,
      url: baseUrl,
      key: publicKey.keyDetails,
      id: Buffer.from(logId.keyId, 'base64').toString('hex'),
      ...windowOf(publicKey.validFor),
    });
  const authority =
    (kind: ShownService['kind']) =>
    ({ uri = '', certChain, validFor }: AuthorityInstance): ShownService => {
      const root = Buffer.from(certChain.certificates.at(-1)?.rawBytes ?? '', 'base64');
      return { kind, url: uri, key: subjectOf(root), id: hash('sha256', root), ...windowOf(validFor) };
    };
  return [
    ...root.certificateAuthorities.map(authority('certificate-authority')),
    ...root.ctlogs.map(log('certificate-log')),
    ...root.tlogs.map(log('log')),
    ...root.timestampAuthorities.map(authority('timestamp-authority')),
  ];
}

function subjectOf(der: Uint8Array): string {
  try {
    return new X509Certificate(der).subject.replaceAll('\n', ', ');
  } catch {
    // "verify" says what is wrong with it; the rest is worth seeing all the same.
    return 'unreadable';
  }
}

function tableOf(services: readonly ShownService[]): string {
  const rows = services.map(({ kind, url, key, id, from, until, state }) => [
    kind,
    url,
    state,
    from ?? '-',
    until ?? '-',
    key,
    id,
  ]);
  return formatTable(['KIND', 'URL', 'STATE', 'FROM', 'UNTIL', 'KEY', 'ID'], rows);
}
