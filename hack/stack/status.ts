/** Prints what runs of the local stack, where, and whether it is healthy; exit code 1 if anything is not. */
import { hasNode, nodeServers } from './node/index.ts';
import { main } from './process/main.ts';
import { runningProcess } from './process/identity.ts';
import { servers } from './servers/index.ts';

type Row = readonly [name: string, pid: string, state: string, address: string, version: string];

function print(rows: readonly Row[]): void {
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    process.stdout.write(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    );
  }
}

await main(async () => {
  const expected = (await hasNode()) ? [...servers, ...nodeServers] : servers;
  const rows = await Promise.all(
    expected.map(async (server): Promise<Row> => {
      const running = await runningProcess(server.name);
      const state = running === undefined ? 'stopped' : (await server.isHealthy()) ? 'healthy' : 'unhealthy';
      return [
        server.name,
        running === undefined ? '-' : String(running.pid),
        state,
        server.address,
        server.version,
      ];
    }),
  );
  print([['NAME', 'PID', 'STATE', 'ADDRESS', 'VERSION'], ...rows]);
  if (rows.some(([, , state]) => state !== 'healthy')) process.exitCode = 1;
});
