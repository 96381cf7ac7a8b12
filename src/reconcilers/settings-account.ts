import { isDeepStrictEqual } from 'node:util';
import type { Finding } from '../kube/conditions.ts';
import { eventReasons } from '../kube/events.ts';
import { fieldManagers } from '../kube/field-managers.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import { resourceTypes } from '../kube/resource-type.ts';
import type { AppError } from '../model/errors.ts';
import { describeChainsKeys, findRestartFields, reportFields } from '../settings/settings-report.ts';
import type { Settings } from '../settings/settings-schema.ts';
import { ObjectStatus } from './policy-object-status.ts';
import type { ObjectVerdict } from './policy-object-status.ts';
import type { ClusterSettings, SettingsFollowerParts, SettingsState } from './settings-follower.ts';

type Sources = ClusterSettings & { readonly configMap?: KubeObject };

/** Tells how the settings stand: status, Events, metrics and log. */
export class SettingsAccount {
  readonly #parts: SettingsFollowerParts;
  readonly #status: ObjectStatus;
  /** What the process was started with. */
  #started: Settings | undefined;

  constructor(parts: SettingsFollowerParts) {
    const { client, user, events, clock, log } = parts;
    this.#parts = parts;
    this.#status = new ObjectStatus({
      ...{ client, type: resourceTypes.chainwrightConfigs, events, clock, log },
      fieldManager: user === 'webhook' ? fieldManagers.webhook : fieldManagers.own,
    });
  }

  /** Throws what writing the status throws. */
  async give(
    before: SettingsState,
    now: SettingsState,
    sources: Sources,
    options: { readonly signal: AbortSignal },
  ): Promise<void> {
    this.#started ??= now.inForce?.settings;
    this.#count(before, now);
    if (isNewFault(before, now)) this.#tellFault(now, sources);
    else if (!isDeepStrictEqual(before.inForce?.settings, now.inForce?.settings))
      this.#tellTaken(before, now);
    if (sources.object === undefined) return;
    const started = this.#started ?? now.inForce?.settings;
    const { user } = this.#parts;
    const verdict = user === 'webhook' ? webhookVerdict(now, started) : verdictOf(now, started);
    await this.#status.report(sources.object, verdict, options);
  }

  #count(before: SettingsState, now: SettingsState): void {
    const { metrics } = this.#parts;
    metrics.settingsStand({ isInForce: now.inForce !== undefined, isNewest: now.fault === undefined });
    if (isNewFault(before, now) && now.fault !== undefined) {
      metrics.settingsChanged('refused');
      metrics.faultOccurred(now.fault.code, now.fault.kind);
    } else if (!isDeepStrictEqual(before.inForce?.settings, now.inForce?.settings)) {
      metrics.settingsChanged('taken');
    }
  }

  #tellFault({ inForce, fault }: SettingsState, { object, configMap }: Sources): void {
    const message = brokenMessage(inForce, fault);
    this.#parts.log.error('the settings cannot be used', { code: fault?.code, error: message });
    // The status of the object tells by an Event of its own; a ConfigMap has no status.
    if (object !== undefined || configMap === undefined) return;
    const reason = eventReasons.settingsBroken;
    this.#parts.events.record({ about: configMap, type: 'Warning', reason, message, isShared: true });
  }

  #tellTaken(before: SettingsState, { inForce }: SettingsState): void {
    const { log } = this.#parts;
    for (const { level, source, name, message } of inForce?.notices ?? []) {
      log[level === 'warning' ? 'warn' : 'info']('settings', { source, name, notice: message });
    }
    if (before.inForce !== undefined) log.info('changed settings are in force', {});
  }
}

function isNewFault(before: SettingsState, now: SettingsState): boolean {
  return now.fault !== undefined && before.fault?.message !== now.fault.message;
}

function brokenMessage(inForce: SettingsState['inForce'], fault: AppError | undefined): string {
  const holds =
    inForce === undefined
      ? 'no settings are in force, so nothing is signed until this is mended'
      : `the settings${inForce.generation === undefined ? '' : ` of generation ${inForce.generation}`} before stay in force`;
  return `${fault?.code ?? ''}: ${fault?.message ?? ''}; ${holds}`;
}

/** What the webhook adds to the status: a condition of its own. */
function webhookVerdict({ inForce, fault }: SettingsState, started: Settings | undefined): ObjectVerdict {
  const type = 'WebhookReady';
  const event = eventOf(fault);
  if (fault !== undefined) {
    const message =
      inForce === undefined
        ? `${fault.code}: ${fault.message}; the webhook does not answer until this is mended`
        : brokenMessage(inForce, fault);
    return { findings: [{ type, status: 'False', reason: brokenReason(fault), message }], event };
  }
  const fields =
    inForce === undefined ? [] : findRestartFields('webhook', started ?? inForce.settings, inForce.settings);
  const later =
    fields.length === 0 ? '' : `; has effect after a restart of the webhook: ${fields.join(', ')}`;
  const message = `the webhook judges by these settings${later}`;
  return { findings: [{ type, status: 'True', reason: 'InForce', message }], event };
}

function eventOf(fault: AppError | undefined): ObjectVerdict['event'] {
  return fault === undefined
    ? { type: 'Normal', reason: eventReasons.settingsInForce }
    : { type: 'Warning', reason: eventReasons.settingsBroken };
}

function brokenReason(fault: AppError): string {
  return fault.code === 'ERR_SETTINGS_INVALID' ? 'Invalid' : 'Unusable';
}

/** What the status of the ChainwrightConfig says. */
function verdictOf({ inForce, fault }: SettingsState, started: Settings | undefined): ObjectVerdict {
  const ready: Finding =
    fault === undefined
      ? { type: 'Ready', status: 'True', reason: 'InForce', message: 'these settings are in force' }
      : {
          type: 'Ready',
          status: 'False',
          reason: brokenReason(fault),
          message: brokenMessage(inForce, fault),
        };
  const event = eventOf(fault);
  if (inForce === undefined)
    return { findings: [ready, notSigning('there are no settings in force')], event };
  return {
    findings: [ready, signingOf(inForce.settings), restartOf(inForce.settings, started), chainsOf(inForce)],
    event,
    details: {
      inForce: {
        ...(inForce.generation === undefined ? {} : { generation: inForce.generation }),
        signer: inForce.settings.signer.type,
        builderId: inForce.settings.provenance.builderId,
        log: inForce.settings.log.enabled ? inForce.settings.log.url : 'none',
        fields: reportFields(inForce).filter(({ source }) => source !== 'default'),
        chainsConfig: inForce.chainsKeys,
      },
    },
  };
}

function notSigning(message: string): Finding {
  return { type: 'Signing', status: 'False', reason: 'Disabled', message };
}

function signingOf({ signer }: Settings): Finding {
  if (signer.type === 'none') return notSigning('signer.type is none: runs are left unsigned');
  return { type: 'Signing', status: 'True', reason: 'Signing', message: 'completed runs are signed' };
}

function restartOf(settings: Settings, started: Settings = settings): Finding {
  const fields = findRestartFields('controller', started, settings);
  const type = 'RestartRequired';
  if (fields.length === 0) {
    return { type, status: 'False', reason: 'UpToDate', message: 'everything has taken effect' };
  }
  const message = `has effect after a restart of the controller: ${fields.join(', ')}`;
  return { type, status: 'True', reason: 'BoundAtStart', message };
}

function chainsOf({ chainsKeys }: NonNullable<SettingsState['inForce']>): Finding {
  const type = 'ChainsConfig';
  if (chainsKeys.length === 0) {
    return { type, status: 'Unknown', reason: 'Absent', message: 'there is no chains-config with a key' };
  }
  const others = describeChainsKeys(chainsKeys);
  if (others.length === 0) {
    return { type, status: 'True', reason: 'Honoured', message: 'every key of chains-config is honoured' };
  }
  return { type, status: 'False', reason: 'PartlyHonoured', message: others.join('; ') };
}
