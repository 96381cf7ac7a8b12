import { AppError } from '../model/errors.ts';
import { deadlines, limits } from '../model/limits.ts';
import { parseJson, splitLines } from './json-stream.ts';
import { kubeBounds } from './kube-bounds.ts';
import { fromKubeFault, fromRefusal } from './kube-fault.ts';
import type { KubeCall } from './kube-fault.ts';
import { isRecord, parseKubeObject } from './kube-object.ts';
import type { KubeObject } from './kube-object.ts';
import type { KubeTransport } from './kube-transport.ts';
import { apiVersionOf, collectionPath, qualifiedNameOf } from './resource-type.ts';
import type { ResourceType } from './resource-type.ts';

/** One event of a watch; a bookmark holds nothing but a newer resource version. */
export type WatchEvent =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      readonly object: KubeObject;
      readonly resourceVersion: string;
    }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** Where a watch goes on from and how long it may take. */
export interface WatchOptions {
  readonly signal: AbortSignal;
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  /** After this time the server ends the watch. */
  readonly timeoutSeconds: number;
  /** Milliseconds of silence after which the connection is taken for dead; bookmarks come about once a minute. */
  readonly idleMs?: number | undefined;
}

/**
 * Watches one kind. Ends when the server does; throws ERR_KUBE_GONE when the version is too old (as HTTP status or as
 * an ERROR event), ERR_KUBE_UNREACHABLE when the connection breaks or falls silent, ERR_KUBE_ANSWER for what is no event.
 */
export async function* watchObjects(
  transport: KubeTransport,
  type: ResourceType,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const scope = options.namespace ?? '(all namespaces)';
  const call: KubeCall = { verb: 'watch', resource: qualifiedNameOf(type), object: scope };
  try {
    const body = await openWatch(transport, type, { ...options, call });
    for await (const line of splitLines(body, limits.kubernetesObjectBytes)) {
      yield parseEvent(line, type, call);
    }
  } catch (error) {
    options.signal.throwIfAborted();
    throw fromKubeFault(error, call.resource);
  }
}

async function openWatch(
  transport: KubeTransport,
  type: ResourceType,
  options: WatchOptions & { readonly call: KubeCall },
): Promise<AsyncIterable<Uint8Array>> {
  const answer = await transport.send(
    {
      method: 'GET',
      path: collectionPath(type, options.namespace),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: options.resourceVersion,
        timeoutSeconds: String(options.timeoutSeconds),
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
      },
      headMs: deadlines.kubernetesMs,
      idleMs: options.idleMs ?? kubeBounds.watchIdleMs,
      call: options.call,
    },
    options,
  );
  return answer.body;
}

function parseEvent(line: Buffer, type: ResourceType, call: KubeCall): WatchEvent {
  const event = parseJson(line, 'watch event');
  const kind = isRecord(event) ? event['type'] : undefined;
  const body = isRecord(event) ? event['object'] : undefined;
  switch (kind) {
    case 'ERROR':
      throw fromErrorEvent(body, call);
    case 'BOOKMARK':
      return { type: kind, resourceVersion: versionOf(body) };
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return {
        type: kind,
        object: parseKubeObject(body, { apiVersion: apiVersionOf(type), kind: type.kind }),
        resourceVersion: versionOf(body),
      };
    default:
      throw noEvent();
  }
}

function versionOf(body: unknown): string {
  const metadata = isRecord(body) ? body['metadata'] : undefined;
  const version = isRecord(metadata) ? metadata['resourceVersion'] : undefined;
  if (typeof version !== 'string' || version === '') throw noEvent();
  return version;
}

function fromErrorEvent(body: unknown, call: KubeCall): AppError {
  const status = isRecord(body) ? body['code'] : undefined;
  return fromRefusal({ status: typeof status === 'number' ? status : 500, body }, call);
}

function noEvent(): AppError {
  return new AppError('ERR_KUBE_ANSWER', 'the API server gave a watch event that is none', {
    kind: 'passing',
    remedy: 'Look whether a proxy stands before the API server; this is tried again.',
  });
}
