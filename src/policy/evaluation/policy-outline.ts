import { z } from 'zod';

/** A constant in a rule; `text` is empty for null. */
const constant = {
  type: z.enum(['string', 'bool', 'int', 'float', 'null']),
  text: z.string().default(''),
};
const operators = ['<', '<=', '>', '>=', '!=', '=~', '!~'] as const;

/** What a constant of a policy is: numbers are text, so that none loses digits. */
export interface OutlineConstant {
  readonly type: 'string' | 'bool' | 'int' | 'float' | 'null';
  readonly text: string;
}

/** A field that a policy speaks of. */
export interface OutlineField {
  readonly kind: 'field';
  readonly text: string;
  readonly optional: boolean;
  readonly rules: readonly OutlineRule[];
}

/** A part of a CUE policy; policy-engine/internal/verdict/rule.go tells what each kind means. */
export type OutlineRule =
  | { readonly kind: 'any' }
  | { readonly kind: 'type'; readonly text: string }
  | ({ readonly kind: 'equal' } & OutlineConstant)
  | ({ readonly kind: 'bound'; readonly operator: (typeof operators)[number] } & OutlineConstant)
  | { readonly kind: 'all' | 'one'; readonly rules: readonly OutlineRule[] }
  | { readonly kind: 'struct'; readonly rules: readonly OutlineField[] }
  | {
      readonly kind: 'list';
      readonly open: boolean;
      readonly rules: readonly OutlineRule[];
      readonly rest?: OutlineRule | undefined;
    }
  | { readonly kind: 'unsupported'; readonly text: string; readonly line: number };

const rules = z.lazy(() => z.array(outlineSchema)).default([]);

const field: z.ZodType<OutlineField> = z.object({
  kind: z.literal('field'),
  text: z.string().default(''),
  optional: z.boolean().default(false),
  rules: rules.refine((list) => list.length === 1),
});

/** The outline in the answer to compiling. */
export const outlineSchema: z.ZodType<OutlineRule> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('any') }),
  z.object({ kind: z.literal('type'), text: z.string() }),
  z.object({ kind: z.literal('equal'), ...constant }),
  z.object({ kind: z.literal('bound'), operator: z.enum(operators), ...constant }),
  z.object({ kind: z.enum(['all', 'one']), rules }),
  z.object({ kind: z.literal('struct'), rules: z.array(field).default([]) }),
  z.object({
    kind: z.literal('list'),
    open: z.boolean().default(false),
    rules,
    rest: z.lazy(() => outlineSchema).optional(),
  }),
  z.object({ kind: z.literal('unsupported'), text: z.string().default(''), line: z.number().default(0) }),
]);
