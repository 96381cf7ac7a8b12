import type { SbomProgress } from '../../sbom/overlay.ts';

/** Shows how far the reading of an image is. */
export interface ProgressDisplay {
  update(progress: SbomProgress): void;
  /** Takes the bar off the terminal. */
  stop(): void;
}

const silent: ProgressDisplay = { update: () => undefined, stop: () => undefined };
const mebibyte = 1024 * 1024;

/** A bar on a terminal, nothing in a pipe. `label` says what is read. */
export async function createProgressDisplay(
  stream: NodeJS.WriteStream,
  label: string,
): Promise<ProgressDisplay> {
  if (!stream.isTTY) return silent;
  const { default: cliProgress } = await import('cli-progress');
  const bar = new cliProgress.SingleBar(
    {
      stream,
      format: '{label} {bar} {percentage}% | layer {layer} of {layers} | {read} of {size} MiB',
      barsize: 24,
      clearOnComplete: true,
      hideCursor: true,
      // Ours to handle: the command ends by itself when it is interrupted.
      gracefulExit: false,
    },
    cliProgress.Presets.shades_classic,
  );
  let isStarted = false;
  return {
    update: ({ bytes, totalBytes, layers, totalLayers }) => {
      const payload = {
        label,
        layer: Math.min(layers + 1, totalLayers),
        layers: totalLayers,
        read: (bytes / mebibyte).toFixed(1),
        size: (totalBytes / mebibyte).toFixed(1),
      };
      if (!isStarted) bar.start(Math.max(totalBytes, 1), 0, payload);
      isStarted = true;
      bar.update(bytes, payload);
    },
    stop: () => {
      if (isStarted) bar.stop();
    },
  };
}
