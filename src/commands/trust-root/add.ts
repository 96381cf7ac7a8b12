import { Command } from 'commander';
import { durationMs, durationPattern } from '../../settings/duration.ts';
import type {
  AuthorityInstance,
  LogInstance,
  TrustedRootDocument,
  Validity,
} from '../../signing/trusted-root-document.ts';
import { boundsOf } from '../../signing/validity-check.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { readServices, requireSound, writeResults } from './built-root.ts';
import type { OutputFlags, ServiceFlags, TrustLists } from './built-root.ts';
import { formatTime, serviceOption } from './service-spec.ts';
import { readTrustedRoot } from './trust-document.ts';
import { addValue } from '../repeated-value.ts';

interface AddFlags extends ServiceFlags, OutputFlags {
  readonly overlap: string;
  readonly replaces: readonly string[];
}

/** `chainwright trust-root add`. */
export function addCommand(context: CommandContext): Command {
  return new Command('add')
    .description('add services or rotated keys to a trusted_root.json; the key that one replaces gets an end')
    .argument('<file>', 'the trusted_root.json so far; - is standard input')
    .addOption(serviceOption('fulcio'))
    .addOption(serviceOption('rekor'))
    .addOption(serviceOption('ctfe'))
    .addOption(serviceOption('tsa'))
    .option('--overlap <duration>', 'how long a replaced key still counts after the new one’s start', '1h')
    .option(
      '--replaces <url>',
      'also ends what is at this address; may be given more than once',
      addValue,
      [],
    )
    .option('--out <file>', 'where the result goes, which may be the same file; without it: standard output')
    .option('--object <file>', 'where a policy.sigstore.dev TrustRoot goes, as YAML')
    .option('--name <name>', 'the name of that object', 'default')
    .addHelpText(
      'after',
      `
A new key at the address of an older one ends that one: at the new one's start (now, unless start-time= says otherwise)
and --overlap. What was signed before is still verified with it. Of a key that was stolen, say when: --overlap 0s.
Services at other addresses are added beside what there is: that is how a second log joins.

Examples:
  chainwright trust-root add trusted_root.json --out trusted_root.json \\
    --rekor url=https://rekor.golems.internal,public-key=new.pub,start-time=2026-03-01T00:00:00Z
  chainwright trust-root add public.json --out both.json --rekor url=https://rekor.golems.internal,public-key=rekor.pub`,
    )
    .action(async (file: string, flags: AddFlags) => {
      await runAdd(file, flags, context);
    });
}

async function runAdd(file: string, flags: AddFlags, { environment, signal }: CommandContext): Promise<void> {
  if ([flags.fulcio, flags.rekor, flags.ctfe, flags.tsa].flat().length === 0) {
    throw usageFault('there is nothing to add', 'Name a service with --fulcio, --rekor, --ctfe or --tsa.');
  }
  if (!durationPattern.test(flags.overlap)) {
    throw usageFault(`--overlap "${flags.overlap.slice(0, 80)}" is no duration`, 'Write it as 30m or 24h.');
  }
  const root = await readTrustedRoot(file, { signal });
  const now = systemClock.now();
  await using dispatchers = await Dispatchers.open({ caFiles: trustedFilesOf(environment) });
  const added = await readServices(flags, {
    dispatchers,
    clock: systemClock,
    signal,
    notice: (text) => void process.stderr.write(`NOTE: ${text}\n`),
    defaultStart: formatTime(now),
  });
  const document = addServices(root, added, {
    overlapMs: durationMs(flags.overlap),
    replaces: flags.replaces,
  });
  requireSound(document, now);
  await writeResults(document, flags);
}

/**
 * A trust root with more services. What stands at the address of an added service of the same kind, or at one of
 * `replaces`, ends `overlapMs` after the start of the new one, unless it ended before. Pure.
 */
export function addServices(
  root: TrustedRootDocument,
  added: TrustLists,
  options: { readonly overlapMs: number; readonly replaces: readonly string[] },
): TrustedRootDocument {
  const logs = (before: readonly LogInstance[], after: readonly LogInstance[]): LogInstance[] => {
    const endOf = endings(
      after.map((log) => ({ url: log.baseUrl, validFor: log.publicKey.validFor })),
      options,
    );
    const ended = before.map((log) => ({
      ...log,
      publicKey: { ...log.publicKey, ...withEnd(log.publicKey.validFor, endOf(log.baseUrl)) },
    }));
    return [...ended, ...after];
  };
  const authorities = (
    before: readonly AuthorityInstance[],
    after: readonly AuthorityInstance[],
  ): AuthorityInstance[] => {
    const endOf = endings(
      after.map(({ uri = '', validFor }) => ({ url: uri, validFor })),
      options,
    );
    return [...before.map((one) => ({ ...one, ...withEnd(one.validFor, endOf(one.uri ?? '')) })), ...after];
  };
  return {
    mediaType: root.mediaType,
    tlogs: logs(root.tlogs, added.tlogs),
    certificateAuthorities: authorities(root.certificateAuthorities, added.certificateAuthorities),
    ctlogs: logs(root.ctlogs, added.ctlogs),
    timestampAuthorities: authorities(root.timestampAuthorities, added.timestampAuthorities),
  };
}

/** Tells when what stood at an address ends: with the first of the services that replace it. */
function endings(
  after: readonly { readonly url: string; readonly validFor: Validity | undefined }[],
  { overlapMs, replaces }: { readonly overlapMs: number; readonly replaces: readonly string[] },
): (url: string) => number | undefined {
  return (url) => {
    const replacing = after.filter((one) => one.url === url || replaces.includes(url));
    const starts = replacing.map(({ validFor }) => boundsOf(validFor).start);
    return starts.length === 0 ? undefined : Math.min(...starts) + overlapMs;
  };
}

function withEnd(validFor: Validity | undefined, end: number | undefined): { readonly validFor?: Validity } {
  if (end === undefined || boundsOf(validFor).end <= end) return validFor === undefined ? {} : { validFor };
  return { validFor: { ...validFor, end: formatTime(new Date(end)) } };
}
