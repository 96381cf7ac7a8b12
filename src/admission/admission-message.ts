import { allow, clipBytes, refuse } from './admission-answer.ts';
import type { AdmissionAnswer } from './admission-answer.ts';
import { admissionLimits } from './admission-limits.ts';
import type { ImageVerdict } from './image-verdict.ts';

/** The answer to a workload whose images have these verdicts: every one has to be admitted. */
export function answerOf(verdicts: readonly ImageVerdict[]): AdmissionAnswer {
  const denied = verdicts.filter(({ outcome }) => outcome === 'denied');
  const warnings = warningsOf(verdicts);
  if (denied.length === 0) return allow(warnings);
  // What is known to be bad stands before what could not be found out.
  const known = denied.filter(({ faultKind }) => faultKind === undefined);
  const unknown = denied.filter(({ faultKind }) => faultKind !== undefined);
  return refuse(statusOf(denied), denialOf([...known, ...unknown]), warnings);
}

/** Forbidden if the object itself is to blame for anything; else a fault that passes, or ours. */
function statusOf(denied: readonly ImageVerdict[]): 403 | 500 | 503 {
  if (denied.some(({ faultKind }) => faultKind === undefined || faultKind === 'permanent')) return 403;
  return denied.every(({ faultKind }) => faultKind === 'passing') ? 503 : 500;
}

function denialOf(denied: readonly ImageVerdict[]): string {
  const told = denied.slice(0, admissionLimits.explainedImages);
  const share = Math.floor(admissionLimits.messageBytes / told.length) - 100;
  const more = denied.length - told.length;
  return [
    ...told.map(({ brief }) => clipBytes(brief, share)),
    ...(more === 0 ? [] : [`and ${more} more ${more === 1 ? 'image' : 'images'}`]),
  ]
    .map((line, index) => (index === 0 ? `validation failed: ${line}` : line))
    .join('\n');
}

function warningsOf(verdicts: readonly ImageVerdict[]): readonly string[] {
  const texts = verdicts.flatMap(({ outcome, brief, advice }) => [
    ...(outcome === 'warned' ? [brief] : []),
    ...(advice === undefined ? [] : [advice]),
  ]);
  return toWarnings(texts);
}

/** Texts as warnings of an answer: cut into pieces that API servers pass on, and not more of them than they do. */
export function toWarnings(texts: readonly string[]): readonly string[] {
  const pieces = [...new Set(texts)].flatMap((text) => text.split('\n')).flatMap(cut);
  const { warnings } = admissionLimits;
  if (pieces.length <= warnings) return pieces;
  return [...pieces.slice(0, warnings - 1), `and ${pieces.length - warnings + 1} more lines`];
}

/** Pieces of a line that are short enough, at the ends of words where there are any. */
function cut(line: string): readonly string[] {
  const { warningLength } = admissionLimits;
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > warningLength) {
    const space = rest.lastIndexOf(' ', warningLength);
    const end = space > warningLength / 2 ? space : warningLength;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return rest === '' ? pieces : [...pieces, rest];
}
