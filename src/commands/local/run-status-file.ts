import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AppError, messageOf } from '../../model/errors.ts';

/** What signing left with one run: the annotations that the run itself would carry in a cluster. */
export interface RunStatus {
  readonly uid: string;
  /** null takes an annotation away that the run came with. */
  readonly annotations: Readonly<Record<string, string | null>>;
}

const statusShape = z.object({
  metadata: z.object({ uid: z.string(), annotations: z.record(z.string(), z.string().nullable()) }),
});

/** The statuses of runs in a folder, `NAMESPACE/NAME.json`, each in the form of a patch of its TaskRun. */
export class RunStatusFolder {
  readonly #folder: string;

  /** Nothing is created before the first `write`. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file of one run; the names must be those of Kubernetes objects. */
  pathOf(run: { readonly namespace: string; readonly name: string }): string {
    return join(this.#folder, run.namespace, `${run.name}.json`);
  }

  /** The status of the run of that UID; an earlier run of the same name is not meant. Throws ERR_LOCAL_STATE. */
  async find(run: {
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  }): Promise<RunStatus | undefined> {
    const file = this.pathOf(run);
    try {
      const { metadata } = statusShape.parse(JSON.parse(await readFile(file, 'utf8')));
      return metadata.uid === run.uid ? metadata : undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw stateFault(file, 'read', error);
    }
  }

  /** Replaces the status whole or not at all. Throws ERR_LOCAL_STATE. */
  async write(
    run: { readonly namespace: string; readonly name: string },
    { uid, annotations }: RunStatus,
  ): Promise<void> {
    const { namespace, name } = run;
    const metadata = { namespace, name, uid, annotations };
    const file = this.pathOf(run);
    const draft = `${file}.${randomUUID()}.tmp`;
    const text = JSON.stringify({ apiVersion: 'tekton.dev/v1', kind: 'TaskRun', metadata }, undefined, 2);
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(draft, `${text}\n`, { flag: 'wx', flush: true });
      await rename(draft, file);
    } catch (error) {
      await rm(draft, { force: true });
      throw stateFault(file, 'written', error);
    }
  }
}

function stateFault(file: string, what: 'read' | 'written', cause: unknown): AppError {
  return new AppError('ERR_LOCAL_STATE', `${file} cannot be ${what}: ${messageOf(cause)}`, {
    kind: 'permanent',
    object: file,
    remedy:
      'Check the folder and the space on its disk; a broken file may be deleted, the run is then judged anew.',
    cause,
  });
}
