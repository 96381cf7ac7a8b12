const readable = /^\/api\/v2\/(?<file>checkpoint|tile\/(?:\d+|entries)\/(?:x\d{3}\/)*\d{3}(?:\.p\/\d+)?)$/;

/** The file, in the log's folder, that an address of Rekor v2's read API stands for; undefined if it is none. */
export function tilePath(url: string): string | undefined {
  return readable.exec(url.split('?', 1)[0] ?? '')?.groups?.['file'];
}
