import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError } from '../../model/errors.ts';
import type { Settings, SettingsInput } from '../../settings/settings-schema.ts';
import type { GivenSecrets } from '../wiring/signer.ts';

/** Flags of `chainwright local`, as they are given. */
export interface LocalFlags extends SigningFlags {
  readonly taskruns: string;
  readonly store: string;
  readonly state?: string;
  readonly once?: boolean;
}

/** Flags of every command that signs. */
export interface SigningFlags {
  readonly config?: string;
  readonly identityToken?: string;
  readonly oidcIssuer?: string;
  readonly key?: string;
  readonly fulcioUrl?: string;
  readonly rekorUrl?: string;
  readonly tlogUpload?: string;
  readonly signingConfig?: string;
  readonly timestampServerUrl?: string;
  readonly trustedRoot?: string;
  readonly logLevel?: string;
}

/**
 * The secrets among the flags and the environment: cosign's `--identity-token` is a file or the token itself. Throws
 * ERR_USAGE_SIGNER.
 */
export async function readSecrets(
  { identityToken, key }: SigningFlags,
  password: string | undefined,
): Promise<GivenSecrets> {
  if (key !== undefined && identityToken !== undefined) {
    throw new AppError('ERR_USAGE_SIGNER', '--key and --identity-token exclude each other', {
      kind: 'permanent',
      remedy: 'Give the one that shall sign.',
    });
  }
  const isToken = identityToken?.split('.').length === 3 && !(await isFile(identityToken));
  return { ...(isToken ? { identityToken } : {}), keyPassword: password };
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** What the flags say of settings; absent ones say nothing. Throws ERR_USAGE_BOOLEAN. */
export function settingsOf(flags: SigningFlags, secrets: GivenSecrets): SettingsInput {
  const { rekorUrl, tlogUpload, trustedRoot, logLevel, signingConfig, timestampServerUrl } = flags;
  return {
    signer: signerOf(flags, secrets),
    log: {
      url: rekorUrl,
      enabled: tlogUpload === undefined ? undefined : parseBoolean(tlogUpload),
    },
    signingConfig: { file: signingConfig === undefined ? undefined : resolve(signingConfig) },
    timestampAuthorities: timestampServerUrl === undefined ? undefined : [timestampServerUrl],
    trustedRoot: { file: trustedRoot === undefined ? undefined : resolve(trustedRoot) },
    telemetry: { logLevel: logLevel as Settings['telemetry']['logLevel'] | undefined },
  };
}

function signerOf(
  { identityToken, key, fulcioUrl, oidcIssuer }: SigningFlags,
  secrets: GivenSecrets,
): SettingsInput['signer'] {
  const tokenFile = secrets.identityToken === undefined ? identityToken : undefined;
  return {
    type: key === undefined ? (identityToken === undefined ? undefined : 'keyless') : 'key',
    ...(key === undefined ? {} : { key: { file: resolve(key) } }),
    fulcio: {
      identityTokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
      url: fulcioUrl,
      issuer: oidcIssuer,
    },
  };
}

/** A value of a flag. Throws ERR_USAGE_BOOLEAN. */
export function parseBoolean(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new AppError('ERR_USAGE_BOOLEAN', `"${text.slice(0, 80)}" is neither true nor false`, {
    kind: 'permanent',
    remedy: 'Write the flag with =true or =false.',
  });
}
