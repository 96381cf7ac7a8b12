import { PackageURL } from 'packageurl-js';

/** The parts of a package URL (package-url specification); empty ones are left out. */
export interface PurlParts {
  /** `deb`, `npm`, `pypi`, `golang`, `maven` ... */
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  readonly qualifiers?: Readonly<Record<string, string | undefined>>;
  readonly subpath?: string | undefined;
}

/**
 * The canonical purl of `parts`: types' own rules applied, everything percent-encoded. Parts that the type's rules
 * refuse (a Maven artifact without group) are written all the same. Throws on an empty name only.
 */
export function formatPurl(parts: PurlParts): string {
  const { type, ...rest } = parts;
  try {
    return write(type, rest);
  } catch {
    // An installed package with an irregular name or version is still installed: only its type's checks are skipped.
    return write('generic', rest).replace('pkg:generic/', `pkg:${type}/`);
  }
}

function write(type: string, parts: Omit<PurlParts, 'type'>): string {
  const qualifiers = Object.entries(parts.qualifiers ?? {}).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== '',
  );
  const purl = new PackageURL(
    type,
    parts.namespace ?? undefined,
    parts.name,
    parts.version ?? undefined,
    qualifiers.length > 0 ? Object.fromEntries(qualifiers) : undefined,
    parts.subpath ?? undefined,
  ).toString();
  // Some readers take a bare plus for a space; the specification lists it among the characters to encode.
  return purl.replaceAll('+', '%2B');
}

/** The readable form that serves as `bom-ref`: decoded, since judges take percent signs in references for faults. */
export function decodePurl(purl: string): string {
  try {
    return decodeURIComponent(purl);
  } catch {
    return purl;
  }
}
