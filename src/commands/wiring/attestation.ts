import type { AttestationParts } from '../../attestation/attestation-parts.ts';
import { OwnEvidence } from '../../attestation/own-evidence.ts';
import { createBuilderSbomSource } from '../../attestation/builder-sbom-statements.ts';
import type { BuildPolicy, StatementSource } from '../../attestation/plan-build.ts';
import { createSbomSource } from '../../attestation/sbom-statements.ts';
import { PendingSignatures } from '../../attestation/signed-artifact.ts';
import { Witnessing } from '../../attestation/witnessing.ts';
import { parseRepository } from '../../model/image-reference.ts';
import type { Clock } from '../../model/clock.ts';
import type { Log } from '../../model/log.ts';
import type { RecordStore } from '../../model/signing-record.ts';
import type { Signer } from '../../model/signature.ts';
import { openRegistries } from '../../registry/distribution-store.ts';
import type { Registries, RegistriesOptions } from '../../registry/distribution-store.ts';
import type { BomMaker } from '../../sbom/bom-generator.ts';
import { registrySettings } from '../../settings/registry-settings.ts';
import type { Settings } from '../../settings/settings-schema.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Tracing } from '../../telemetry/tracing.ts';
import type { Dispatchers, HostTrust } from './dispatchers.ts';
import type { SigningServices } from './signing-services.ts';
import type { CurrentTrustRoot } from './trust.ts';
import { createWitnessSource } from './witnesses.ts';

/** What the parts of attesting are made of. */
export interface AttestationWiring {
  readonly settings: Settings;
  readonly dispatchers: Dispatchers;
  readonly signer: Signer;
  readonly services: SigningServices;
  readonly trust: CurrentTrustRoot;
  readonly records: RecordStore;
  readonly metrics: Metrics;
  readonly tracing?: Tracing;
  readonly clock: Clock;
  readonly log: Log;
}

/** Connects the parts of attesting. */
export function createAttestationParts(wiring: AttestationWiring): AttestationParts {
  const { settings, signer, trust, records, metrics, tracing, clock } = wiring;
  return {
    signer,
    witnesses: createWitnessSource(wiring),
    witnessing: new Witnessing(),
    records,
    pending: new PendingSignatures(clock),
    evidence: new OwnEvidence({ trustRoot: () => trust.latest, isLogged: settings.log.enabled, clock }),
    metrics,
    ...(tracing === undefined ? {} : { tracing }),
    clock,
  };
}

/** What the settings want attested, and where it goes. */
export function buildPolicyOf({ provenance, signature, storage }: Settings): BuildPolicy {
  const { tags, referrers } = storage.layouts;
  const inRegistry = provenance.storage.includes('oci');
  return {
    ...(provenance.enabled
      ? { provenance: { format: provenance.format, builderId: provenance.builderId, inRegistry } }
      : {}),
    signImages: signature.enabled,
    layouts: [...(tags ? (['tag'] as const) : []), ...(referrers ? (['referrer'] as const) : [])],
    evidenceRepository: storage.repository === undefined ? undefined : parseRepository(storage.repository),
    isKeptOnRun: provenance.storage.includes('tekton'),
  };
}

/** What is attested besides the provenance by these settings: our own SBOM, and the builder's as its claim. */
export function createStatementSources(
  { sbom }: Settings,
  generator: BomMaker | undefined,
  log: Pick<Log, 'warn'>,
): readonly StatementSource[] {
  const { builderClaims, builderClaimSources, builderClaimFile, maxBytes } = sbom;
  const repositories = builderClaimSources.map(parseRepository);
  return [
    ...(generator === undefined ? [] : [createSbomSource(generator)]),
    ...(builderClaims === 'attest'
      ? [createBuilderSbomSource({ repositories, file: builderClaimFile, maxBytes, log })]
      : []),
  ];
}

/** The registries as the settings tell to reach them. */
export function createRegistries(
  settings: Pick<Settings, 'registries'>,
  dispatchers: Dispatchers,
  clock: Clock,
  options: Pick<RegistriesOptions, 'onAnswer'> = {},
): Registries {
  return openRegistries({
    ...options,
    connectionFor: (host) => {
      const found = registrySettings(settings, host);
      return { dispatcher: dispatchers.for(found.host), insecure: found.insecure };
    },
    clock,
  });
}

/** How hosts are trusted that the settings list. */
export function hostTrustOf({ registries }: Settings): ReadonlyMap<string, HostTrust> {
  return new Map(
    registries.map(({ host, caFile, insecure }) => [
      host,
      { ...(caFile === undefined ? {} : { caFile }), unsafeSkipVerify: insecure },
    ]),
  );
}
