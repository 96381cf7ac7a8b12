import { X509Certificate } from 'node:crypto';
import type { EventRecorder } from '../../kube/events.ts';
import type { ServingCertificate } from '../../model/serving-certificate.ts';
import { ServingCertificateKeeper, webhookNames } from '../../reconcilers/serving-certificate-keeper.ts';
import type { CertificateSource } from '../../reconcilers/serving-certificate-keeper.ts';
import { WebhookConfigurationKeeper } from '../../reconcilers/webhook-configuration-keeper.ts';
import { CertificateFilesSource } from './certificate-files.ts';
import { certificateFilesOf } from './webhook-flags.ts';
import type { WebhookWiring } from './webhook-wiring.ts';

/** The serving certificate, wherever it comes from. */
export interface Certificates extends CertificateSource {
  /** Keeps it, and the `caBundle` of the WebhookConfigurations, until `signal` aborts. */
  run(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Why there is none, if so. */
  findUnready(): string | undefined;
}

type Runnable = Omit<Certificates, keyof CertificateSource>;

/**
 * The certificate in the files that flags name, or one that the webhook keeps by itself in a Secret. Throws
 * ERR_USAGE_FLAGS, ERR_ADMISSION_CERTIFICATE.
 */
export async function openCertificates(
  wiring: WebhookWiring,
  events: Pick<EventRecorder, 'record'>,
): Promise<Certificates> {
  const { flags, client, log, clock, metrics } = wiring;
  const files = certificateFilesOf(flags);
  const source: CertificateSource & Runnable =
    files === undefined ? keeperOf(wiring, events) : await CertificateFilesSource.open(files, { clock, log });
  const tellEnd = ({ certificatePem }: ServingCertificate): void => {
    metrics.certificateExpires(new X509Certificate(certificatePem).validToDate);
  };
  const current = source.current();
  if (current !== undefined) tellEnd(current);
  source.onChange(tellEnd);
  // With an authority of its own cert-manager keeps the `caBundle`, too.
  if (files !== undefined && files.authority === undefined) return source;
  const names = [flags.webhookName];
  const configurations = new WebhookConfigurationKeeper({
    ...{ client, clock, log, certificates: source },
    configurations: { validating: names, mutating: names },
  });
  return {
    current: () => source.current(),
    onChange: (listener) => source.onChange(listener),
    findUnready: () => source.findUnready(),
    run: async (options) => {
      await Promise.all([source.run(options), configurations.run(options)]);
    },
  };
}

function keeperOf(
  { flags, client, clock, log }: WebhookWiring,
  events: Pick<EventRecorder, 'record'>,
): ServingCertificateKeeper {
  const { namespace, serviceName, tlsSan } = flags;
  return new ServingCertificateKeeper({
    ...{ client, events, clock, log },
    secret: { namespace, name: `${serviceName}-certificate` },
    names: [...webhookNames({ name: serviceName, namespace }), ...tlsSan],
  });
}

/** The certificate as soon as there is one; undefined if `signal` aborts before. */
export async function firstCertificate(
  source: CertificateSource,
  signal: AbortSignal,
): Promise<ServingCertificate | undefined> {
  const found = Promise.withResolvers<ServingCertificate | undefined>();
  const end = source.onChange(found.resolve);
  const onAbort = (): void => {
    found.resolve(undefined);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) return undefined;
    return source.current() ?? (await found.promise);
  } finally {
    signal.removeEventListener('abort', onAbort);
    end();
  }
}
