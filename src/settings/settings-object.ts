import { z } from 'zod';
import { parseDocument } from 'yaml';
import { AppError, messageOf } from '../model/errors.ts';

/** API group and version of our own kinds. */
export const apiVersion = 'chainwright.dev/v1alpha1';

/** The frame of a `ChainwrightConfig`; `spec` is judged by `settingsSchema`, status is not ours to judge. */
export const settingsObjectSchema = z.strictObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal('ChainwrightConfig'),
  metadata: z.looseObject({ name: z.literal('default') }),
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});

// A settings object is a few KiB; the API server itself takes 1.5 MiB.
const maxDocumentLength = 1024 * 1024;
const maxAliases = 100;

/**
 * Reads one YAML or JSON document as plain data, to be handed to `resolveSettings` as `object`. `file` is named in
 * messages. Throws ERR_SETTINGS_SYNTAX (not one well-formed document, duplicate keys, too many aliases, over 1 MiB).
 */
export function parseSettingsDocument(text: string, file: string): unknown {
  if (text.length > maxDocumentLength)
    throw syntaxFault(file, `it is longer than ${maxDocumentLength} characters`);
  try {
    const document = parseDocument(text, { uniqueKeys: true });
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return document.toJS({ maxAliasCount: maxAliases }) as unknown;
  } catch (error) {
    throw syntaxFault(file, messageOf(error), error);
  }
}

function syntaxFault(file: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_SETTINGS_SYNTAX', `${file} is not one YAML or JSON document: ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Write one ChainwrightConfig object into the file, as docs/settings.md shows.',
    cause,
  });
}
