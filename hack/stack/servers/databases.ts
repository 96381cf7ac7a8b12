import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { local, ports } from '../addresses.ts';
import { builtPath } from '../build/binaries.ts';
import { debianProgram, postgresProgram } from '../packages.ts';
import { inState } from '../paths.ts';
import { answersTcp } from '../process/health.ts';
import { run } from '../process/run.ts';
import { componentNamed } from '../versions.ts';
import { fromDebian } from './server.ts';
import type { Server } from './server.ts';

const user = 'postgres';
const database = 'trillian';

/** Trillian's database, as a PostgreSQL address. */
export function trillianDatabase(): string {
  return `postgresql://${user}@${local(ports.postgres)}/${database}?sslmode=disable`;
}

/**
 * PostgreSQL refuses to run as root. Its user keeps the right to pass any folder, since a checkout may lie in a home
 * folder that is closed to others.
 */
function asPostgres(program: string, args: readonly string[]): { file: string; args: string[] } {
  const reach = '+dac_override,+dac_read_search';
  return {
    file: 'setpriv',
    args: [
      '--reuid',
      user,
      '--regid',
      user,
      '--clear-groups',
      '--inh-caps',
      reach,
      '--ambient-caps',
      reach,
      postgresProgram(program),
      ...args,
    ],
  };
}

function psql(base: string, args: readonly string[], input?: string): Promise<string> {
  const server = ['-h', '127.0.0.1', '-p', String(ports.postgres), '-U', user, '-d', base];
  return run(
    postgresProgram('psql'),
    ['-X', '-q', '-t', '-A', '-v', 'ON_ERROR_STOP=1', ...server, ...args],
    input === undefined ? {} : { input },
  );
}

/** Runs SQL in Trillian's database; gives the rows, one a line, fields apart by `|`. */
export function trillianSql(sql: string): Promise<string> {
  return psql(database, ['-c', sql]);
}

async function initialise(): Promise<void> {
  const folder = inState('data', 'postgres');
  if (existsSync(folder)) return;
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true });
  await run('chown', [user, fresh]);
  // Nothing of value is kept here: no waiting for the disk.
  const { file, args } = asPostgres('initdb', [
    '-D',
    fresh,
    '-A',
    'trust',
    '-U',
    user,
    '-E',
    'UTF8',
    '--no-locale',
    '--no-sync',
  ]);
  await run(file, args, { cwd: '/' });
  await rename(fresh, folder);
}

async function makeSchema(): Promise<void> {
  if ((await psql(user, ['-c', `SELECT 1 FROM pg_database WHERE datname = '${database}'`])).trim() === '') {
    await psql(user, ['-c', `CREATE DATABASE ${database}`]);
  }
  if ((await psql(database, ['-c', "SELECT to_regclass('trees')"])).trim() !== '') return;
  const schema = await readFile(join(builtPath(componentNamed('trillian-schema')), 'storage.sql'), 'utf8');
  await psql(database, ['-1', '-f', '-'], schema);
}

/** Holds the leaves of both Trillian logs. */
export const postgres: Server = {
  name: 'postgres',
  version: fromDebian,
  address: local(ports.postgres),
  needs: [],
  // Fast shutdown: SIGTERM would wait until every client has gone.
  stopSignal: 'SIGINT',
  prepare: initialise,
  command: () =>
    Promise.resolve(
      asPostgres('postgres', [
        '-D',
        inState('data', 'postgres'),
        '-h',
        '127.0.0.1',
        '-p',
        String(ports.postgres),
        '-k',
        '',
        '-F',
        '-c',
        'max_connections=300',
        '-c',
        'synchronous_commit=off',
      ]),
    ),
  isHealthy: async () => {
    if (!(await answersTcp('127.0.0.1', ports.postgres))) return false;
    return psql(user, ['-c', 'SELECT 1']).then(
      () => true,
      () => false,
    );
  },
  settle: makeSchema,
};

/** Rekor v1's search index. */
export const redis: Server = {
  name: 'redis',
  version: fromDebian,
  address: local(ports.redis),
  needs: [],
  prepare: async () => {
    await mkdir(inState('data', 'redis'), { recursive: true });
  },
  command: () =>
    Promise.resolve({
      file: debianProgram('redis-server'),
      args: [
        '--bind',
        '127.0.0.1',
        '--port',
        String(ports.redis),
        '--dir',
        inState('data', 'redis'),
        '--save',
        '',
        '--appendonly',
        'yes',
        '--appendfsync',
        'no',
      ],
    }),
  isHealthy: () => answersTcp('127.0.0.1', ports.redis, { send: 'PING\r\n', expect: '+PONG' }),
};
