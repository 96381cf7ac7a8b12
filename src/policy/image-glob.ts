import { RE2JS } from 're2js';
import { AppError } from '../model/errors.ts';
import { formatRepository, parseImageReference } from '../model/image-reference.ts';

/** A compiled glob of a policy. */
export interface ImageGlob {
  /** As the policy has it. */
  readonly source: string;
  readonly expression: RE2JS;
}

const allowed = /^[\w\-:/*.@]+$/;
const maxLength = 1024;
const rewritten: Readonly<Record<string, string>> = {
  '*/*': 'index.docker.io/*/*',
  '*': 'index.docker.io/library/*',
};

/**
 * Compiles a glob as policy-controller does (pkg/apis/glob): `*` is any text without a slash, `**` any text, all else
 * stands for itself; of the short names only `*` and `*``/*` mean Docker Hub. Throws ERR_POLICY_GLOB.
 */
export function compileGlob(source: string): ImageGlob {
  if (source.length > maxLength || !allowed.test(source)) {
    throw new AppError('ERR_POLICY_GLOB', `invalid glob "${source.slice(0, maxLength)}"`, {
      kind: 'permanent',
      remedy: 'Use letters, digits and -_:/*.@ only, as in "harbor.example/team/**".',
    });
  }
  const full = rewritten[source] ?? source;
  const expression = full.replaceAll('.', String.raw`\.`).replaceAll(/\*\*|\*/g, (stars) => {
    return stars === '**' ? '.*' : '[^/]*';
  });
  return { source, expression: RE2JS.compile(`^${expression}$`) };
}

/**
 * True if the glob matches an image: its full name, or else the text as it was given. A name with a digest is
 * `HOST/PATH@DIGEST`, so a glob for a tag matches no image that is pinned. Throws ERR_IMAGE_REFERENCE.
 */
export function matchesGlob({ expression }: ImageGlob, image: string): boolean {
  const name = canonicalName(image);
  return expression.matches(name) || (name !== image && expression.matches(image));
}

function canonicalName(image: string): string {
  const { repository, tag = 'latest', digest } = parseImageReference(image);
  const name = formatRepository(repository);
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}

/** True if Go's `filepath.Match` takes the pattern: the reference's first check. */
export function isFilePattern(pattern: string): boolean {
  for (let at = 0; at < pattern.length; at += 1) {
    if (pattern[at] === '\\') {
      at += 1;
      if (at === pattern.length) return false;
    } else if (pattern[at] === '[') {
      const end = endOfClass(pattern, at + 1);
      if (end === undefined) return false;
      at = end;
    }
  }
  return true;
}

/** Where a character class ends that begins before `start`; undefined if it is malformed. */
function endOfClass(pattern: string, start: number): number | undefined {
  const members = /\^?(?:(?:\\.|[^\\\]-])(?:-(?:\\.|[^\\\]-]))?)+\]/sy;
  members.lastIndex = start;
  return members.test(pattern) ? members.lastIndex - 1 : undefined;
}
