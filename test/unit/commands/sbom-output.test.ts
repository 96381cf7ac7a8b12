import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { formatBomTable } from '../../../src/commands/sbom/bom-table.ts';
import { createProgressDisplay } from '../../../src/commands/sbom/progress-bar.ts';

describe('sbom: table', () => {
  const bom = {
    bytes: new Uint8Array(),
    serialNumber: '',
    distro: { id: 'debian', versionId: '12', qualifier: 'debian-12' },
    gaps: [{ cataloguer: 'npm', path: 'app/package.json', layer: 1, reason: 'is not JSON' }],
    counts: { npm: 2, deb: 1 },
    rows: [
      { type: 'npm', name: 'b', version: '2', licences: 'MIT', path: '/b' },
      { type: 'npm', name: 'a', version: '1', licences: 'x'.repeat(100), path: '/a' },
      { type: 'deb', name: 'c', version: '3', licences: '', path: '/var/lib/dpkg/status' },
    ],
  };

  it('counts, lists by type and name, and tells what could not be read', () => {
    expect(formatBomTable(bom, 'app').split('\n')).to.deep.equal([
      'app on debian-12: 3 components, 1 deb, 2 npm',
      '',
      'TYPE  NAME  VERSION  LICENCES                                  FOUND IN',
      'deb   c     3                                                  /var/lib/dpkg/status',
      `npm   a     1        ${'x'.repeat(39)}…  /a`,
      'npm   b     2        MIT                                       /b',
      '',
      'NOT READ (the list may be incomplete)',
      'CATALOGUER  FILE              WHY',
      'npm         app/package.json  is not JSON',
      '',
    ]);
  });

  it('leaves out what there is not', () => {
    const { rows, gaps, distro, ...rest } = bom;
    expect([rows.length, gaps.length, distro.id]).to.deep.equal([3, 1, 'debian']);
    const lone = { ...rest, rows: rows.slice(0, 1), gaps: [], distro: undefined, counts: { npm: 1 } };
    expect(formatBomTable(lone, 'app'))
      .to.match(/^app: 1 component, 1 npm\n/)
      .and.not.include('NOT READ');
  });
});

describe('sbom: progress', () => {
  const written = async (isTTY: boolean): Promise<string> => {
    const stream = Object.assign(new PassThrough(), {
      isTTY,
      columns: 120,
      cursorTo: () => true,
      clearLine: () => true,
      moveCursor: () => true,
    });
    const display = await createProgressDisplay(stream as unknown as NodeJS.WriteStream, 'app linux/amd64');
    display.update({ bytes: 0, totalBytes: 2 * 1024 ** 2, layers: 0, totalLayers: 3 });
    display.update({ bytes: 1024 ** 2, totalBytes: 2 * 1024 ** 2, layers: 1, totalLayers: 3 });
    display.stop();
    return String(stream.read() ?? '');
  };

  it('is a bar on a terminal', async () => {
    expect(await written(true))
      .to.include('app linux/amd64')
      .and.include('of 2.0 MiB');
  });

  it('is nothing in a pipe', async () => {
    expect(await written(false)).to.equal('');
  });
});
