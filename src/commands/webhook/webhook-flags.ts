import type { SettingsInput } from '../../settings/settings-schema.ts';
import { usageFault } from '../policy/usage-fault.ts';
import type { CertificateFiles } from './certificate-files.ts';

/** Flags of `chainwright webhook`. */
export interface WebhookFlags {
  readonly config?: string;
  readonly namespace: string;
  readonly serviceName: string;
  readonly webhookName: string;
  readonly address?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly tlsSan: readonly string[];
  readonly trustedRoot?: string;
  readonly metricsAddress?: string;
  /** Seconds. */
  readonly shutdownDelay: number;
  readonly logLevel?: string;
}

/** The settings that flags give. */
export function settingsOfFlags(flags: WebhookFlags): SettingsInput {
  const { trustedRoot, address, metricsAddress, logLevel } = flags;
  const telemetry = {
    ...(metricsAddress === undefined ? {} : { metricsAddress }),
    ...(logLevel === undefined ? {} : { logLevel: logLevel as 'info' }),
  };
  return {
    ...(trustedRoot === undefined ? {} : { trustedRoot: { file: trustedRoot } }),
    ...(address === undefined ? {} : { webhook: { address } }),
    ...(Object.keys(telemetry).length === 0 ? {} : { telemetry }),
  };
}

/** The files of the serving certificate; undefined if it is kept by ourselves. Throws ERR_USAGE_FLAGS. */
export function certificateFilesOf({ tlsCert, tlsKey, tlsCa }: WebhookFlags): CertificateFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert !== undefined && tlsKey !== undefined) {
    return { certificate: tlsCert, key: tlsKey, authority: tlsCa };
  }
  throw usageFault(
    'certificate and key belong together',
    'Give --tls-cert and --tls-key, and --tls-ca if need be.',
  );
}
