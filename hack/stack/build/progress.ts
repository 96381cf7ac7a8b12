/** Tells the user which of several pieces of work are going on, and since when. */
export interface Progress {
  start(name: string): void;
  finish(name: string): void;
  /** Ends the display; nothing may follow. */
  close(): void;
}

const spinnerInterval = 1000;

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(0)}s`;
}

/**
 * Shows the progress of `total` pieces of work on a stream: one line that renews itself on a terminal, plain lines
 * in a pipe.
 */
export function showProgress(
  what: string,
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const running = new Map<string, number>();
  const began = Date.now();
  let done = 0;

  const draw = (): void => {
    const names = [...running].map(([name, since]) => `${name} ${seconds(since)}`).join(', ');
    stream.write(`\r\u001b[K${what} ${done} of ${total} (${seconds(began)}): ${names}`);
  };
  const timer = stream.isTTY ? setInterval(draw, spinnerInterval) : undefined;

  return {
    start(name) {
      running.set(name, Date.now());
      if (stream.isTTY) draw();
      else stream.write(`${what} ${name} ...\n`);
    },
    finish(name) {
      done += 1;
      const line = `${what} ${name}: done in ${seconds(running.get(name) ?? began)} (${done} of ${total})\n`;
      running.delete(name);
      stream.write(stream.isTTY ? `\r\u001b[K${line}` : line);
    },
    close() {
      clearInterval(timer);
      if (stream.isTTY) stream.write('\r\u001b[K');
    },
  };
}
