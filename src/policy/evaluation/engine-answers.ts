import { z } from 'zod';

import { AppError } from '../../model/errors.ts';
import { outlineSchema } from './policy-outline.ts';
import type { OutlineRule } from './policy-outline.ts';

/** Why a document does not comply; policy-engine/internal/verdict tells what each means. */
const reasons = ['conflict', 'absent', 'incomplete', 'unsupported', 'not-compliant', 'evaluation'] as const;

const messageSchema = z.object({
  reason: z.enum(reasons),
  path: z.string(),
  expected: z.string().optional(),
  found: z.string().optional(),
  text: z.string(),
});

const verdictSchema = z.object({
  passed: z.boolean(),
  messages: z.array(messageSchema).default([]),
  reference: z.string().default(''),
  warnings: z.array(z.string()).default([]),
});

const compiledSchema = z.object({
  fault: z
    .object({ message: z.string(), line: z.number().optional(), column: z.number().optional() })
    .optional(),
  names: z.array(z.string()).default([]),
  volatile: z.array(z.string()).default([]),
  outline: outlineSchema.optional(),
});

const crashSchema = z.object({ crash: z.string() });
const notJsonSchema = z.object({ notJSON: z.literal(true) });

/** One reason why a document does not comply: where, what the policy wants there, and what is there. */
export interface PolicyMessage {
  readonly reason: (typeof reasons)[number];
  /** Path into the document, as CUE writes it; empty for the document itself. */
  readonly path: string;
  /** What the policy says about that path, at most 300 bytes. */
  readonly expected?: string | undefined;
  /** What the document says there, at most 300 bytes. */
  readonly found?: string | undefined;
  /** The evaluator's own words, at most 300 bytes. */
  readonly text: string;
}

/** What evaluating one document gives. */
export interface PolicyVerdict {
  readonly passed: boolean;
  /** At most 100; empty if it passed. */
  readonly messages: readonly PolicyMessage[];
  /** policy-controller's text for the same failure; empty if policy-controller would let the document pass. */
  readonly reference: string;
  /** What a Rego policy warns of; policy-controller takes a warning for a failure unless the policy's mode is warn. */
  readonly warnings: readonly string[];
}

/** What compiling a policy tells. */
export interface CompilationAnswer {
  readonly fault?:
    | { readonly message: string; readonly line?: number | undefined; readonly column?: number | undefined }
    | undefined;
  readonly names: readonly string[];
  readonly volatile: readonly string[];
  /** The policy, written down; of CUE only. */
  readonly outline?: OutlineRule | undefined;
}

/** A module's answer after a panic in the evaluator: the instance may be broken. */
export interface CrashAnswer {
  readonly crash: string;
}

function parsed(answer: Uint8Array): unknown {
  return JSON.parse(Buffer.from(answer).toString('utf8'));
}

/** The reason if an answer says that the evaluator panicked. */
export function findCrash(answer: Uint8Array): string | undefined {
  if (answer.length === 0) return undefined;
  const crash = crashSchema.safeParse(parsed(answer));
  return crash.success ? crash.data.crash : undefined;
}

/** The answer to compiling. Throws ERR_POLICY_ENGINE_ANSWER where it has another shape. */
export function parseCompilation(answer: Uint8Array): CompilationAnswer {
  const read = compiledSchema.safeParse(parsed(answer));
  if (read.success) return read.data;
  throw unexpectedAnswer(read.error);
}

/** The answer to an evaluation. Throws ERR_POLICY_DOCUMENT for a document that is no JSON, or nested too deep. */
export function parseVerdict(answer: Uint8Array): PolicyVerdict {
  const value = parsed(answer);
  if (notJsonSchema.safeParse(value).success) {
    throw new AppError('ERR_POLICY_DOCUMENT', 'the document is not JSON, or nested deeper than 512 levels', {
      kind: 'permanent',
      remedy: 'Have the attestation made again by a tool that writes JSON.',
    });
  }
  const read = verdictSchema.safeParse(value);
  if (read.success) return read.data;
  throw unexpectedAnswer(read.error);
}

function unexpectedAnswer(cause: unknown): AppError {
  return new AppError('ERR_POLICY_ENGINE_ANSWER', "the policy engine's answer has an unexpected shape", {
    kind: 'bug',
    cause,
  });
}
