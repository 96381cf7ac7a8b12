import { formatPurl } from '../../purl.ts';
import type { PurlParts } from '../../purl.ts';

/** What a component is called in the BOM. */
export interface ComponentIdentity {
  readonly ref: string;
  readonly purl?: string;
}

/**
 * The identity of a package: its purl, or `<type>:<name>@<version>` where the parts (which come from the image) make
 * no valid purl.
 */
export function identify(parts: PurlParts): ComponentIdentity {
  try {
    const purl = formatPurl(parts);
    return { ref: purl, purl };
  } catch {
    const name = [parts.namespace, parts.name].filter((part) => part !== undefined && part !== '').join('/');
    return { ref: `${parts.type}:${name}${parts.version === undefined ? '' : `@${parts.version}`}` };
  }
}
