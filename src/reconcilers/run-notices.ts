import { eventReasons } from '../kube/events.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { AppError } from '../model/errors.ts';
import { loggedEntriesOf } from '../model/signing-record.ts';
import type { SigningRecord } from '../model/signing-record.ts';
import { faultText } from './run-marks.ts';
import type { SignedMark } from './run-marks.ts';
import type { SkipReason } from './run-terms.ts';

/** The Events that a run gets: what a person reads in `kubectl describe taskrun`. */
export class RunNotices {
  readonly #events: Pick<EventRecorder, 'record'>;

  constructor(events: Pick<EventRecorder, 'record'>) {
    this.#events = events;
  }

  signed(about: KubeObject, { artifacts }: SigningRecord): void {
    const indices = artifacts.flatMap(loggedEntriesOf).map(({ logIndex }) => logIndex);
    const log = indices.length === 0 ? '' : `; log indices ${indices.slice(0, 20).join(', ')}`;
    const message = `signed ${artifacts.length} artifacts of ${artifacts[0]?.subject ?? ''}${log}`;
    this.#events.record({ about, type: 'Normal', reason: eventReasons.signed, message });
  }

  nothingToSign(about: KubeObject): void {
    const message = 'the run failed or names nothing that it built, so there is nothing to sign';
    this.#events.record({ about, type: 'Normal', reason: eventReasons.nothingToSign, message });
  }

  skipped(about: KubeObject, { by, why }: SkipReason): void {
    this.#events.record({
      about,
      type: 'Normal',
      reason: eventReasons.signingSkipped,
      message: `left unsigned on purpose, by ${by}: ${why}`,
    });
  }

  delayed(about: KubeObject, fault: AppError): void {
    const message = `${withRemedy(fault)} Tried again later.`;
    this.#events.record({ about, type: 'Warning', reason: eventReasons.signingDelayed, message });
  }

  failed(about: KubeObject, fault: AppError): void {
    const reason = reasonOf(fault);
    this.#events.record({ about, type: 'Warning', reason, message: withRemedy(fault) });
  }

  released(about: KubeObject, fault: AppError): void {
    const message = `deleted before it could be signed: ${faultText(fault)}`;
    this.#events.record({ about, type: 'Warning', reason: eventReasons.signingFailed, message });
  }

  markNotBelieved(about: KubeObject, mark: SignedMark): void {
    const message = `the mark signed: "${mark}" is not ours and nothing supports it; the run is judged anew`;
    this.#events.record({ about, type: 'Warning', reason: eventReasons.markNotBelieved, message });
  }
}

function reasonOf({ code }: AppError): (typeof eventReasons)[keyof typeof eventReasons] {
  if (code.startsWith('ERR_SUBJECT_')) return eventReasons.subjectInvalid;
  return code.startsWith('ERR_TEKTON_') ? eventReasons.resultInvalid : eventReasons.signingFailed;
}

function withRemedy(fault: AppError): string {
  return fault.remedy === undefined ? `${faultText(fault)}.` : `${faultText(fault)}. ${fault.remedy}`;
}
