import { AppError, isAppError, messageOf } from '../../model/errors.ts';
import type { FaultKind } from '../../model/errors.ts';
import type { BomGeneratorOptions } from '../bom-generator.ts';
import type { GeneratedBom } from '../generate-bom.ts';
import type { LayerSource, SourceLayer } from '../layer-source.ts';

/** What the thread is started with: everything but the cataloguers, which are code. */
export type ThreadSettings = Omit<BomGeneratorOptions, 'cataloguers'>;

/** An image as data; the thread asks for its layers' bytes. */
export interface ImageDescription extends Omit<LayerSource, 'layers'> {
  readonly layers: readonly Omit<SourceLayer, 'open'>[];
}

/** What the thread is told. `feed` numbers the readings of layers, `job` the images. */
export type ThreadOrder =
  | { readonly kind: 'generate'; readonly job: number; readonly image: ImageDescription }
  | { readonly kind: 'cancel'; readonly job: number }
  | { readonly kind: 'bytes'; readonly feed: number; readonly bytes: Uint8Array }
  | { readonly kind: 'end'; readonly feed: number }
  | { readonly kind: 'fault'; readonly feed: number; readonly fault: FaultRecord }
  | { readonly kind: 'ping' };

/** What the thread says. It gets one piece of a layer for each `pull`, so that it is never sent more than it can take. */
export type ThreadReport =
  | { readonly kind: 'open'; readonly job: number; readonly layer: number; readonly feed: number }
  | { readonly kind: 'pull'; readonly feed: number }
  | { readonly kind: 'close'; readonly feed: number }
  | { readonly kind: 'done'; readonly job: number; readonly bom: GeneratedBom }
  | { readonly kind: 'failed'; readonly job: number; readonly fault: FaultRecord }
  | { readonly kind: 'pong' };

/** A thrown value as data; without `code` it was no AppError. */
export interface FaultRecord {
  readonly message: string;
  readonly code?: string;
  readonly kind?: FaultKind;
  readonly object?: string | undefined;
  readonly remedy?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** A thrown value as data, without its causes. */
export function recordFault(error: unknown): FaultRecord {
  if (!isAppError(error)) return { message: messageOf(error) };
  const { message, code, kind, object, remedy, retryAfterMs } = error;
  return { message, code, kind, object, remedy, retryAfterMs };
}

/** The error that {@link recordFault} was given, but for its causes and, outside AppErrors, its class. */
export function reviveFault({ message, code, kind, object, remedy, retryAfterMs }: FaultRecord): Error {
  if (code === undefined || kind === undefined) return new Error(message);
  return new AppError(code, message, {
    kind,
    ...(object === undefined ? {} : { object }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
