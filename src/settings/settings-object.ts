import { z } from 'zod';
import { AppError, messageOf } from '../model/errors.ts';
import { readYamlDocument } from './yaml-document.ts';

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

/**
 * Reads one YAML or JSON document as plain data, to be handed to `resolveSettings` as `object`. `file` is named in
 * messages. Throws ERR_SETTINGS_SYNTAX (not one well-formed document, duplicate keys, too many aliases, over 1 MiB).
 */
export function parseSettingsDocument(text: string, file: string): unknown {
  try {
    return readYamlDocument(text);
  } catch (error) {
    throw syntaxFault(file, messageOf(error), error);
  }
}

function syntaxFault(file: string, why: string, cause: unknown): AppError {
  return new AppError('ERR_SETTINGS_SYNTAX', `${file} is not one YAML or JSON document: ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Write one ChainwrightConfig object into the file, as docs/settings.md shows.',
    cause,
  });
}
