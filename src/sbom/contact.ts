/** Name and address of `Jane Doe <jane@example.org>`, the form of Debian's, Alpine's and npm's maintainer fields. */
export function parseContact(text: string): { readonly name: string; readonly email?: string } {
  const open = text.lastIndexOf('<');
  const close = text.indexOf('>', open);
  const email = open >= 0 && close > open ? text.slice(open + 1, close).trim() : '';
  const name = (open >= 0 ? text.slice(0, open) : text).trim();
  return { name: name || email || text.trim(), ...(isMailAddress(email) ? { email } : {}) };
}

/** True for a plain mail address; the format that the BOM's schema asks for is strict, and packages write anything there. */
export function isMailAddress(text: string): boolean {
  return /^[\w.+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(text);
}
