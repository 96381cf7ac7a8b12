import { z } from 'zod';
import { readArtifactRule } from './artifact-rule.ts';
import type { ArtifactRule } from './artifact-rule.ts';
import { layoutFault } from './layout-fault.ts';
import { isJsonObject } from './strict-json.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

const maxItems = 500;
const maxRules = 1000;
const maxKeys = 500;

/** Materials and products of a step or an inspection that are allowed. */
export interface RuledItem {
  readonly name: string;
  readonly expectedMaterials: readonly ArtifactRule[];
  readonly expectedProducts: readonly ArtifactRule[];
}

/** Whose certificate stands for a functionary without a key (in-toto-golang). */
export interface CertificateConstraint {
  /** URIs and e-mail addresses; empty where the layout wants something that cannot be checked here. */
  readonly names: readonly string[];
}

/** A step that functionaries carry out and report. */
export interface LayoutStep extends RuledItem {
  readonly threshold: number;
  /** Key ids in the layout's `keys`. */
  readonly keyids: readonly string[];
  readonly certificateConstraints: readonly CertificateConstraint[];
  readonly expectedCommand: readonly string[];
}

/** A command that the verifier would run. */
export interface LayoutInspection extends RuledItem {
  readonly run: readonly string[];
}

/** An in-toto layout (specification 1.0, section 4.3). */
export interface Layout {
  readonly expires: Date;
  /** Keys by id, as they stand in the layout. */
  readonly keys: ReadonlyMap<string, JsonObject>;
  readonly steps: readonly LayoutStep[];
  readonly inspections: readonly LayoutInspection[];
  /** Authorities of functionaries' certificates, PEM; none: those of the trust root. */
  readonly authorities: readonly string[];
}

// It becomes part of a file's name.
const name = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}/\\]+$/u, 'has a slash or a control character')
  .refine((text) => text !== '.' && text !== '..', 'names a folder');
const keyid = z.string().regex(/^[\da-f]{8,128}$/, 'is no key id in lower-case hex');
const words = z.array(z.string().max(4096)).max(64);
const rule = words.transform((given, context): ArtifactRule => {
  const read = readArtifactRule(given);
  if (read !== undefined) return read;
  context.addIssue({ code: 'custom', message: `is no rule: ${given.join(' ').slice(0, 200)}` });
  return z.NEVER;
});
const rules = z.array(rule).max(maxRules).default([]);
const constraint = z.object({
  common_name: z.string().optional(),
  dns_names: z.array(z.string()).nullish(),
  emails: z.array(z.string()).nullish(),
  organizations: z.array(z.string()).nullish(),
  roots: z.array(z.string()).nullish(),
  uris: z.array(z.string()).nullish(),
});
const step = z.object({
  _type: z.literal('step'),
  name,
  threshold: z.int().positive().max(1000).default(1),
  pubkeys: z.array(keyid).max(maxKeys).default([]),
  cert_constraints: z.array(constraint).max(16).nullish(),
  expected_command: words.default([]),
  expected_materials: rules,
  expected_products: rules,
});
const inspection = z.object({
  _type: z.literal('inspection'),
  name,
  run: words.default([]),
  expected_materials: rules,
  expected_products: rules,
});
const keyObject = z.custom<JsonObject>((value) => isJsonObject(value as JsonValue), 'is no object');
const authority = z.object({ keyval: z.object({ certificate: z.string().max(64 * 1024) }) });
const layoutShape = z.object({
  _type: z.literal('layout'),
  // As in-toto writes it; another zone or precision could be read in two ways.
  expires: z.iso.datetime({ precision: 0 }),
  keys: z.record(keyid, keyObject).refine((keys) => Object.keys(keys).length <= maxKeys, 'are too many'),
  steps: z.array(step).max(maxItems).default([]),
  inspect: z.array(inspection).max(maxItems).default([]),
  rootcas: z.record(z.string(), authority).nullish(),
  intermediatecas: z.record(z.string(), authority).nullish(),
});

/**
 * Reads a layout. Throws ERR_LAYOUT_FORMAT for one that is malformed, that names a step twice or a key that it does not have,
 * or whose step can never be carried out.
 */
export function readLayout(signed: JsonObject, object: string): Layout {
  const parsed = layoutShape.safeParse(signed);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const why = `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim();
    throw layoutFault('ERR_LAYOUT_FORMAT', object, `it is no layout: ${why}`);
  }
  const layout = toLayout(parsed.data);
  const why = doubled([...layout.steps, ...layout.inspections]) ?? unreachable(layout);
  if (why !== undefined) throw layoutFault('ERR_LAYOUT_FORMAT', object, why);
  return layout;
}

function toLayout(given: z.infer<typeof layoutShape>): Layout {
  const { rootcas, intermediatecas } = given;
  return {
    expires: new Date(given.expires),
    keys: new Map(Object.entries(given.keys)),
    steps: given.steps.map((one) => ({
      ...toRuled(one),
      threshold: one.threshold,
      keyids: [...new Set(one.pubkeys)],
      certificateConstraints: (one.cert_constraints ?? []).map(toConstraint),
      expectedCommand: one.expected_command,
    })),
    inspections: given.inspect.map((one) => ({ ...toRuled(one), run: one.run })),
    authorities: [rootcas, intermediatecas].flatMap((all) =>
      Object.values(all ?? {}).map(({ keyval }) => keyval.certificate),
    ),
  };
}

/** What Fulcio's certificates do not have cannot be asked for; a star asks for nothing. */
function toConstraint(given: z.infer<typeof constraint>): CertificateConstraint {
  const { uris, emails, common_name: commonName, dns_names: hosts, organizations } = given;
  const others = [commonName ?? '', ...(hosts ?? []), ...(organizations ?? [])];
  const isCheckable = others.every((value) => value === '' || value === '*');
  return { names: isCheckable ? [...(uris ?? []), ...(emails ?? [])].filter((value) => value !== '') : [] };
}

function toRuled(item: z.infer<typeof step> | z.infer<typeof inspection>): RuledItem {
  const { expected_materials: expectedMaterials, expected_products: expectedProducts } = item;
  return { name: item.name, expectedMaterials, expectedProducts };
}

/** Rules refer to steps by name, and links to steps: two of one name would share each other's evidence. */
function doubled(items: readonly RuledItem[]): string | undefined {
  const names = items.map((item) => item.name);
  const twice = names.find((one, at) => names.indexOf(one) !== at);
  return twice === undefined ? undefined : `two steps or inspections are named ${twice}`;
}

function unreachable({ steps, keys }: Layout): string | undefined {
  for (const { name: step, keyids, threshold, certificateConstraints } of steps) {
    const unknown = keyids.find((id) => !keys.has(id));
    if (unknown !== undefined) return `step ${step} names the key ${unknown}, which the layout does not have`;
    if (certificateConstraints.length === 0 && keyids.length < threshold) {
      return `step ${step} wants ${threshold} functionaries and names ${keyids.length}`;
    }
  }
  return undefined;
}
