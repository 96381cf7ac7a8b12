import { parseAllDocuments } from 'yaml';
import { AppError, messageOf } from '../../model/errors.ts';
import { isRecord } from '../../kube/kube-object.ts';

/** An object found in a file, unchecked besides being a JSON object. */
export interface FoundObject {
  /** `''` where it names none. */
  readonly kind: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Upper bound of one file, in bytes: a list of some thousand runs. */
export const maxTaskRunFileBytes = 64 * 1024 * 1024;
const maxAliases = 100;
const maxListDepth = 4;

/** Makes the fault of a file, for readers of other kinds of objects. */
export type FileFault = (file: string, why: string, cause?: unknown) => AppError;

/**
 * The objects of a YAML or JSON text: all documents, and the items of lists (`kind: List`, `TaskRunList`) in their place.
 * `file` is named in messages. Throws ERR_USAGE_TASKRUNS, or what `toFault` makes.
 */
export function readObjects(
  text: string,
  file: string,
  toFault: FileFault = fileFault,
): readonly FoundObject[] {
  const fault = (why: string, cause?: unknown): AppError => toFault(file, why, cause);
  return parseDocuments(text, fault).flatMap((value) => toObjects(value, fault, 0));
}

/** True for what may be a `tekton.dev/v1` TaskRun; an object without kind is taken at its author's word. */
export function isTaskRun({ kind, value }: FoundObject): boolean {
  return kind === 'TaskRun' || (kind === '' && isRecord(value['metadata']));
}

/** A fault of a file that TaskRuns are read from. */
export function fileFault(file: string, why: string, cause?: unknown): AppError {
  return new AppError('ERR_USAGE_TASKRUNS', `${file} ${why}`, {
    kind: 'permanent',
    object: file,
    remedy: 'Give TaskRuns as YAML or JSON, as "kubectl get taskrun NAME -o yaml" prints them.',
    ...(cause === undefined ? {} : { cause }),
  });
}

type Fault = (why: string, cause?: unknown) => AppError;

function parseDocuments(text: string, fault: Fault): readonly unknown[] {
  if (text.trimStart().startsWith('{')) {
    try {
      return [JSON.parse(text)];
    } catch {
      // It may be YAML in flow style, or several JSON documents; the YAML parser's message is the better one.
    }
  }
  try {
    return parseAllDocuments(text, { uniqueKeys: true }).map((document) => {
      const [wrong] = document.errors;
      if (wrong !== undefined) throw wrong;
      return document.toJS({ maxAliasCount: maxAliases }) as unknown;
    });
  } catch (error) {
    // The first line says what and where; the rest is a piece of the file.
    const [what = ''] = messageOf(error).split('\n');
    throw fault(`is no YAML or JSON: ${what}`, error);
  }
}

function toObjects(value: unknown, fault: Fault, depth: number): readonly FoundObject[] {
  if (value === null || value === undefined) return [];
  if (!isRecord(value)) throw fault('holds something that is no Kubernetes object');
  const kind = typeof value['kind'] === 'string' ? value['kind'] : '';
  const { items } = value;
  if (!kind.endsWith('List') || !Array.isArray(items)) return [{ kind, value }];
  if (depth === maxListDepth) throw fault('has lists that are nested too deeply');
  const itemKind = kind.slice(0, -'List'.length);
  return items.flatMap((item: unknown) =>
    // Items of a typed list carry no kind of their own.
    toObjects(isRecord(item) && itemKind !== '' ? { kind: itemKind, ...item } : item, fault, depth + 1),
  );
}
