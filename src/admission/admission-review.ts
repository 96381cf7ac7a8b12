import { z } from 'zod';
import { malformedReview } from './admission-fault.ts';
import { isJsonObject } from '../model/json-object.ts';
import type { JsonObject } from '../model/json-object.ts';

/** What the API server asks (admission.k8s.io/v1, AdmissionRequest), as far as it counts here. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  /** Empty for the object itself. */
  readonly subResource: string;
  /** Empty where the API server has yet to make one up. */
  readonly name: string;
  readonly namespace: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly user: string;
  readonly object?: JsonObject;
  readonly oldObject?: JsonObject;
  readonly dryRun: boolean;
}

const text = z.string().max(1024);
const kubeObject = z.custom<JsonObject>(isJsonObject, 'is no object');

const reviewShape = z.object({
  apiVersion: z.literal('admission.k8s.io/v1'),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().min(1).max(256),
    kind: z.object({ group: text, version: text, kind: text.min(1) }),
    subResource: text.default(''),
    name: text.default(''),
    namespace: text.default(''),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    userInfo: z.object({ username: text.default('') }).default({ username: '' }),
    object: kubeObject.nullish(),
    oldObject: kubeObject.nullish(),
    dryRun: z.boolean().nullish(),
  }),
});

/** Parses the body of a call. Throws ERR_ADMISSION_REVIEW. */
export function parseAdmissionReview(body: Uint8Array): AdmissionRequest {
  const parsed = reviewShape.safeParse(parseJson(body));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformedReview(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  const { userInfo, object, oldObject, dryRun, ...request } = parsed.data.request;
  return {
    ...request,
    user: userInfo.username,
    ...(object === undefined || object === null ? {} : { object }),
    ...(oldObject === undefined || oldObject === null ? {} : { oldObject }),
    dryRun: dryRun ?? false,
  };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch {
    // The parser's message quotes the body, which may hold anything.
    throw malformedReview('the body is no JSON');
  }
}
