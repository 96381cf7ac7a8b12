import { AppError } from '../../model/errors.ts';
import { formatFieldFaults } from '../../policy/field-fault.ts';
import { parseTrustRootObject, readTrustRootObject } from '../../policy/trust-root-object.ts';
import { signingConfigSchema } from '../../signing/signing-config.ts';
import type { SigningConfigDocument } from '../../signing/signing-config.ts';
import type { TrustFinding } from '../../signing/trust-finding.ts';
import { trustedRootSchema } from '../../signing/trusted-root-document.ts';
import type { TrustedRootDocument } from '../../signing/trusted-root-document.ts';
import { isJsonObject, parseStrictJson } from '../../statements/strict-json.ts';
import { readInput } from '../wiring/input-file.ts';
import { readObjects } from '../wiring/task-run-documents.ts';
import { documentOfObject } from './trust-root-object.ts';

/** A file with trust material, of one of the three kinds; `faults` tell why it has no document. */
export type TrustDocument =
  | {
      readonly kind: 'TrustedRoot' | 'TrustRoot';
      readonly root?: TrustedRootDocument;
      readonly faults: readonly TrustFinding[];
    }
  | {
      readonly kind: 'SigningConfig';
      readonly config?: SigningConfigDocument;
      readonly faults: readonly TrustFinding[];
    };

const maxBytes = 4 * 1024 * 1024;

/** Reads a `trusted_root.json`, `signing_config.json` or TrustRoot object; `-` is standard input. Throws ERR_USAGE_FILE. */
export async function readTrustDocument(
  file: string,
  options: { readonly signal: AbortSignal },
): Promise<TrustDocument> {
  const text = await readInput(file, options);
  if (!text.trimStart().startsWith('{')) return readObject(text, file);
  const read = parseStrictJson(Buffer.from(text), maxBytes);
  if ('fault' in read) return { kind: 'TrustedRoot', faults: [structure('', `it is ${read.fault}`)] };
  const { value } = read;
  const mediaType = isJsonObject(value) ? value['mediaType'] : undefined;
  if (mediaType === undefined) return readObject(text, file);
  if (typeof mediaType === 'string' && mediaType.includes('signingconfig')) {
    const { data, error } = signingConfigSchema.safeParse(value);
    const kind = 'SigningConfig';
    return data === undefined ? { kind, faults: toFaults(error) } : { kind, config: data, faults: [] };
  }
  const { data, error } = trustedRootSchema.safeParse(value);
  const kind = 'TrustedRoot';
  return data === undefined ? { kind, faults: toFaults(error) } : { kind, root: data, faults: [] };
}

/** The trust root in a file: a `trusted_root.json`, or the keys of a TrustRoot. Throws ERR_USAGE_FILE, ERR_TRUST_ROOT. */
export async function readTrustedRoot(
  file: string,
  options: { readonly signal: AbortSignal },
): Promise<TrustedRootDocument> {
  const document = await readTrustDocument(file, options);
  if (document.kind !== 'SigningConfig' && document.root !== undefined) return document.root;
  const why = document.faults[0]?.message ?? 'it holds no keys';
  const where = document.faults[0]?.where ?? '';
  throw new AppError('ERR_TRUST_ROOT', `${file} cannot be used as trust root: ${where} ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Give a trusted_root.json; "chainwright trust-root verify" tells all that is wrong with it.',
  });
}

function readObject(text: string, file: string): TrustDocument {
  const objects = readObjects(text, file, (object, why, cause) => fileFault(object, why, cause));
  const [found, ...others] = objects.filter(({ kind }) => kind === 'TrustRoot');
  if (found === undefined || others.length > 0) {
    throw fileFault(file, found === undefined ? 'holds none' : 'holds more than one TrustRoot');
  }
  const kind = 'TrustRoot';
  const { faults } = readTrustRootObject(found.value);
  if (faults.length > 0) return { kind, faults: [structure('spec', formatFieldFaults(faults))] };
  const root = documentOfObject(parseTrustRootObject(found.value));
  return root === undefined ? { kind, faults: [] } : { kind, root, faults: [] };
}

function toFaults(error: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}): readonly TrustFinding[] {
  return error.issues.map(({ path, message }) => structure(path.map(String).join('.'), message));
}

function structure(where: string, message: string): TrustFinding {
  return { severity: 'error', check: 'structure', where, message };
}

function fileFault(file: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_FILE', `${file} ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Give a trusted_root.json, a signing_config.json, or one TrustRoot object as YAML or JSON.',
    ...(cause === undefined ? {} : { cause }),
  });
}
