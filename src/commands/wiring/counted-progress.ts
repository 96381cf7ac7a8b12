/** Shows how many items are done. */
export interface CountedProgress {
  readonly step: () => void;
  /** Takes the bar off the terminal. */
  readonly stop: () => void;
}

/** A bar on a terminal, nothing in a pipe. `format` is cli-progress's, of `total` items. */
export async function openCountedProgress(
  stream: NodeJS.WriteStream,
  format: string,
  total: number,
): Promise<CountedProgress> {
  if (!stream.isTTY) return { step: () => undefined, stop: () => undefined };
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format,
      barsize: 24,
      clearOnComplete: true,
      hideCursor: true,
      // Ours to handle: the command ends by itself when it is interrupted.
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  bar.start(total, 0);
  return {
    step: () => {
      bar.increment();
    },
    stop: () => {
      bar.stop();
    },
  };
}
