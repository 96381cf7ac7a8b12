/**
 * Reads `Name: value` lines up to the first empty one, as RFC 822 headers, Python metadata and package databases
 * have them. Names are lowered; a name may repeat; a line that starts with a blank continues the value before it.
 */
export function parseFieldLines(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>();
  let current: string[] | undefined;
  for (const line of text.split(/\r?\n/)) {
    if (line === '') break;
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (current !== undefined) current.push(`${current.pop() ?? ''}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    current = undefined;
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    current = fields.get(name) ?? [];
    current.push(line.slice(colon + 1).trim());
    fields.set(name, current);
  }
  return fields;
}
