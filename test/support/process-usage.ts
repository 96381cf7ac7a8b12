import { readFile } from 'node:fs/promises';

/** What a process has used so far. */
export interface ProcessUsage {
  /** CPU seconds, user and system, of all threads. */
  readonly cpuSeconds: number;
  /** Highest resident memory, in bytes. */
  readonly peakRssBytes: number;
}

// USER_HZ, fixed by the kernel's interface to programs.
const ticksPerSecond = 100;

/** Reads `/proc` of a process that lives. */
export async function readUsage(pid: number): Promise<ProcessUsage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ]);
  // The command's name stands in parentheses and may hold anything; the first field after it is the third of proc(5).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return { cpuSeconds: ticks / ticksPerSecond, peakRssBytes: Number(peak ?? 0) * 1024 };
}
