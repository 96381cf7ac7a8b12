/** Every link of an error's chain of causes, in one text. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(explain)].join('\n');
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`;
}

/** Runs a script's body; a failure is told in plain words and is exit code 1. */
export async function main(body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    process.stderr.write(`\n${explain(error)}\n`);
    process.exitCode = 1;
  }
}
