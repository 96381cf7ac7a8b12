import { parseDocument } from 'yaml';

// A settings object is a few KiB; the API server itself takes 1.5 MiB.
const maxDocumentLength = 1024 * 1024;
const maxAliases = 100;

/**
 * One YAML or JSON document as plain data. Throws an Error that says why it is none: not well-formed, duplicate keys, too
 * many aliases, over 1 MiB.
 */
export function readYamlDocument(text: string): unknown {
  if (text.length > maxDocumentLength) throw new Error(`it is longer than ${maxDocumentLength} characters`);
  const document = parseDocument(text, { uniqueKeys: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw fault;
  return document.toJS({ maxAliasCount: maxAliases }) as unknown;
}
