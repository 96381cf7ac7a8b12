import { z } from 'zod';
import { durationMs, durationPattern } from './duration.ts';

/** An http or https address without credentials; a slash at its end is dropped. */
export function address(): z.ZodType<string, string> {
  return z
    .string()
    .max(2048)
    .regex(/^https?:\/\/[^\s@?#]+$/, {
      error: 'must be an http or https address without credentials, query or fragment',
      abort: true,
    })
    .refine((text) => URL.canParse(text), 'must be an http or https address')
    .transform((text) => text.replace(/\/+$/, ''));
}

/** An absolute path of a file. */
export function filePath(): z.ZodString {
  return z
    .string()
    .max(4096)
    .regex(/^\/\S+$/, 'must be an absolute path of a file');
}

/** A repository as `HOST/PATH`. */
export function repositoryName(): z.ZodString {
  return z
    .string()
    .max(512)
    .regex(/^[\w.:-]+(?:\/[\w.-]+)+$/, 'must be HOST/PATH without tag and digest');
}

/** A duration in Kubernetes' notation within bounds; read as milliseconds. */
export function duration(bounds: { readonly min: string; readonly max: string }): z.ZodType<number, string> {
  const [min, max] = [durationMs(bounds.min), durationMs(bounds.max)];
  return z
    .string()
    .max(32)
    .regex(durationPattern, 'must be a duration such as "500ms", "2s" or "1h30m"')
    .transform(durationMs)
    .refine((ms) => ms >= min && ms <= max, `must lie between ${bounds.min} and ${bounds.max}`);
}

/** A name of a Kubernetes object (RFC 1123 subdomain). */
export function objectName(): z.ZodString {
  return z
    .string()
    .max(253)
    .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, 'must be a name of a Kubernetes object');
}

/** A name of a namespace (RFC 1123 label). */
export function namespaceName(): z.ZodString {
  return z
    .string()
    .max(63)
    .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/, 'must be a name of a namespace');
}

/** Where a server listens: `HOST:PORT`, or `:PORT` for all interfaces. */
export function listenAddress(): z.ZodString {
  return z
    .string()
    .max(262)
    .regex(/^(?:[\w.-]*|\[[\da-f:]+\]):\d{1,5}$/, 'must be HOST:PORT or :PORT');
}

/** A registry as image references name it, or `*` for every one that is not listed. */
export function registryHost(): z.ZodString {
  return z
    .string()
    .max(255)
    .regex(/^(?:\*|[\w.-]+(?::\d{1,5})?|\[[\da-f:]+\](?::\d{1,5})?)$/, 'must be HOST, HOST:PORT or *');
}
