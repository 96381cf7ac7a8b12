/** Bytes of standard or URL-safe base64 with or without padding; undefined unless it is the one right encoding of them. */
export function findBase64(text: string): Buffer | undefined {
  const standard = /[-_]/.test(text) ? text.replaceAll('-', '+').replaceAll('_', '/') : text;
  const bytes = Buffer.from(standard, 'base64');
  const encoded = bytes.toString('base64');
  return encoded === standard || encoded.replace(/={1,2}$/, '') === standard ? bytes : undefined;
}
