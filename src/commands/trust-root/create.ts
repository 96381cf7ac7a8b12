import { Command } from 'commander';
import { AppError } from '../../model/errors.ts';
import { trustedRootMediaType, trustedRootSchema } from '../../signing/trusted-root-document.ts';
import { systemClock } from '../../telemetry/system-clock.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFault } from '../policy/usage-fault.ts';
import { Dispatchers } from '../wiring/dispatchers.ts';
import { trustedFilesOf } from '../wiring/process-log.ts';
import { fetchPublicTrustRoot } from '../wiring/trust.ts';
import { readServices, requireSound, signingConfigOf, write, writeResults } from './built-root.ts';
import type { OutputFlags, ServiceFlags, TrustLists } from './built-root.ts';
import { serviceOption } from './service-spec.ts';
import type { ServiceSpec } from './service-spec.ts';

interface CreateFlags extends ServiceFlags, OutputFlags {
  readonly oidcProvider: readonly ServiceSpec[];
  readonly withDefaultServices?: boolean;
  readonly defaultFulcio: boolean;
  readonly defaultCtfe: boolean;
  readonly defaultTsa: boolean;
  readonly defaultRekor: boolean;
  readonly signingConfig?: string;
  readonly rekorConfig: string;
  readonly tsaConfig: string;
}

/** `chainwright trust-root create`. */
export function createCommand(context: CommandContext): Command {
  return new Command('create')
    .description(
      'make a trusted_root.json, a signing_config.json and a TrustRoot object of the same services',
    )
    .addOption(serviceOption('fulcio'))
    .addOption(serviceOption('rekor'))
    .addOption(serviceOption('ctfe'))
    .addOption(serviceOption('tsa'))
    .addOption(serviceOption('oidc-provider'))
    .option('--with-default-services', 'begin with the public Sigstore instance’s trust root, by TUF')
    .option('--no-default-fulcio', 'without its certificate authorities')
    .option('--no-default-rekor', 'without its logs')
    .option('--no-default-ctfe', 'without its certificate logs')
    .option('--no-default-tsa', 'without its timestamp authorities')
    .option('--out <file>', 'where the trusted_root.json goes; without any file: standard output')
    .option(
      '--signing-config <file>',
      'where a signing_config.json goes, which names the services of the flags',
    )
    .option('--rekor-config <choice>', 'how many logs are used: ANY, ALL, EXACT:COUNT', 'ANY')
    .option('--tsa-config <choice>', 'how many timestamp authorities are used: ANY, ALL, EXACT:COUNT', 'ANY')
    .option('--object <file>', 'where a policy.sigstore.dev TrustRoot goes, as YAML')
    .option('--name <name>', 'the name of that object', 'default')
    .addHelpText(
      'after',
      `
Services are written as for "cosign trusted-root create" and "cosign signing-config create". Without certificate-chain= or
public-key= the running server is asked, and the fingerprint that it gave is told: compare it with what its operator published.
Certificate logs and Rekor v2 do not tell their keys. Nothing is written if the result would have a fault.

Examples:
  chainwright trust-root create --out trusted_root.json \\
    --fulcio url=https://fulcio.golems.internal,certificate-chain=fulcio.pem \\
    --rekor url=https://rekor.golems.internal,public-key=rekor.pub,start-time=2026-01-01T00:00:00Z \\
    --ctfe url=https://ctlog.golems.internal/golems,public-key=ctlog.pub,start-time=2026-01-01T00:00:00Z
  chainwright trust-root create --rekor url=https://rekor2.golems.internal,public-key=r2.pub,origin=rekor2.golems.internal \\
    --tsa url=https://tsa.golems.internal --fulcio url=https://fulcio.golems.internal \\
    --out trusted_root.json --signing-config signing_config.json --object trust-root.yaml --name golems`,
    )
    .action(async (flags: CreateFlags) => {
      await runCreate(flags, context);
    });
}

async function runCreate(flags: CreateFlags, { environment, signal }: CommandContext): Promise<void> {
  const { fulcio, rekor, ctfe, tsa, signingConfig, out, object } = flags;
  if ([fulcio, rekor, ctfe, tsa].flat().length === 0 && flags.withDefaultServices !== true) {
    throw usageFault('there is no service to trust', 'Name one with --fulcio, --rekor, --ctfe or --tsa.');
  }
  const config = signingConfig === undefined ? undefined : signingConfigOf(flags, flags);
  if (config === undefined || out !== undefined || object !== undefined) {
    await using dispatchers = await Dispatchers.open({ caFiles: trustedFilesOf(environment) });
    const notice = (text: string): void => void process.stderr.write(`NOTE: ${text}\n`);
    const named = await readServices(flags, { dispatchers, clock: systemClock, signal, notice });
    const document = { mediaType: trustedRootMediaType, ...joined(await defaults(flags), named) };
    requireSound(document, systemClock.now());
    await writeResults(document, flags);
  }
  if (signingConfig !== undefined && config !== undefined) await write(signingConfig, config);
}

function joined(first: TrustLists, second: TrustLists): TrustLists {
  return {
    tlogs: [...first.tlogs, ...second.tlogs],
    certificateAuthorities: [...first.certificateAuthorities, ...second.certificateAuthorities],
    ctlogs: [...first.ctlogs, ...second.ctlogs],
    timestampAuthorities: [...first.timestampAuthorities, ...second.timestampAuthorities],
  };
}

async function defaults(flags: CreateFlags): Promise<TrustLists> {
  const none: TrustLists = { tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [] };
  if (flags.withDefaultServices !== true) return none;
  const root = parsePublic(await fetchPublicTrustRoot());
  return {
    tlogs: flags.defaultRekor ? root.tlogs : [],
    certificateAuthorities: flags.defaultFulcio ? root.certificateAuthorities : [],
    ctlogs: flags.defaultCtfe ? root.ctlogs : [],
    timestampAuthorities: flags.defaultTsa ? root.timestampAuthorities : [],
  };
}

function parsePublic(text: string): TrustLists {
  try {
    return trustedRootSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new AppError('ERR_TRUST_ROOT', 'the public trust root has fields that are not known here', {
      kind: 'permanent',
      remedy: 'Use a newer chainwright, or leave out --with-default-services.',
      cause: error,
    });
  }
}
