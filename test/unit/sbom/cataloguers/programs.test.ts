import { expect } from 'chai';
import fc from 'fast-check';
import type { AnyCataloguer, Cataloguer } from '../../../../src/sbom/cataloguer.ts';
import { jvm, parseJvmRelease } from '../../../../src/sbom/cataloguers/jvm.ts';
import { ProgramSearch } from '../../../../src/sbom/cataloguers/program-search.ts';
import { programPatterns } from '../../../../src/sbom/cataloguers/program-table.ts';
import { programs } from '../../../../src/sbom/cataloguers/programs.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { elf } from './elf-fixture.ts';

/** Text as a compiler leaves it among a program's constants, and what identifies it. */
const samples: readonly (readonly [path: string, constants: string, ref: string])[] = [
  ['usr/local/bin/node', 'https://x/node.js/v22.9.0\0', 'pkg:generic/node@22.9.0'],
  ['usr/local/lib/libpython3.12.so.1.0', '%s\x003.12.1\0', 'pkg:generic/python@3.12.1'],
  ['usr/local/bin/python3.6m', '\x003.6.15\0', 'pkg:generic/python@3.6.15'],
  [
    'usr/local/bin/redis-server',
    '\x007.0.14buildkitsandbox-1702957741000000000\0',
    'pkg:generic/redis@7.0.14',
  ],
  ['usr/bin/redis-server', 'err\x007.0.15\0c11-builtin\0', 'pkg:generic/redis@7.0.15'],
  ['usr/local/bin/valkey-server', 'x9.0.0buildkitsandbox-1764887574000000000\0', 'pkg:generic/valkey@9.0.0'],
  ['usr/sbin/nginx', '\0nginx version: nginx/1.25.1\0', 'pkg:generic/nginx@1.25.1'],
  ['usr/local/bin/postgres', '\0PostgreSQL 16beta2\0', 'pkg:generic/postgresql@16beta2'],
  [
    'opt/jre/bin/java',
    '\0openjdk\0java\x000.0\x0011.0.17+8-LTS\0',
    'pkg:generic/oracle/openjdk@11.0.17%2B8-LTS',
  ],
  ['usr/local/bin/php', 'X-Powered-By: PHP/8.3.1\0', 'pkg:generic/php-cli@8.3.1'],
  ['usr/local/apache2/bin/httpd', 'Apache/2.4.58 (Unix)\0', 'pkg:generic/httpd@2.4.58'],
  ['traefik', '\0v3.0.4\0', 'pkg:generic/traefik@3.0.4'],
  ['usr/local/bin/envoy', '\x001.29.2\0envoy/extensions', 'pkg:generic/envoy@1.29.2'],
  ['usr/local/go/bin/go', 'go1.22.3\0', 'pkg:generic/go@1.22.3'],
  ['bin/busybox', 'BusyBox v1.36.1 (2024)', 'pkg:generic/busybox@1.36.1'],
  [
    'usr/lib/erlang/erts/bin/beam.smp',
    '\0Erlang/OTP 25%s [smp]\n\0\x0025.2.3\0',
    'pkg:generic/erlang@25.2.3',
  ],
  ['usr/sbin/mariadbd', '\x0010.11.6-MariaDB\0', 'pkg:generic/mariadb@10.11.6'],
  [
    'opt/venv/opencv.libs/libavcodec-c4204469.so.62.28.101',
    'BSD Pro486\0\0FFmpeg version 8.1.1\0',
    'pkg:generic/ffmpeg@8.1.1',
  ],
  ['usr/local/bin/ffmpeg', 'FFmpeg version n7.1-3-g', 'pkg:generic/ffmpeg@7.1'],
  ['usr/local/bin/ruby', 'ruby 3.3.0 (2023-12-25 revision 5124f9ac75)', 'pkg:generic/ruby@3.3.0'],
];

function program(constants: string): Buffer {
  return elf([
    { name: '.rodata', content: Buffer.from(`${'x'.repeat(3000)}${constants}${'y'.repeat(3000)}`, 'latin1') },
  ]);
}

async function refsIn(
  files: Parameters<typeof layer>[0],
  cataloguers: readonly AnyCataloguer[],
): Promise<string[]> {
  const { components } = await catalogue([layer(files)], cataloguers);
  return components.map(({ ref }) => ref);
}

describe('programs cataloguer', () => {
  for (const [path, constants, ref] of samples) {
    it(`identifies ${path}`, async () => {
      expect(await refsIn({ [path]: program(constants) }, [programs])).to.deep.equal([ref]);
    });
  }

  it('does not take a version of a library for the own one', async () => {
    const files = {
      'usr/bin/redis-server': program('_NAME\x002.1.0\0invalid'),
      'usr/local/bin/openssl': program('curl/8.1.0'),
    };
    expect(await refsIn(files, [programs])).to.deep.equal([]);
  });

  it('looks at programs only, not at scripts of the same name', async () => {
    expect(await refsIn({ 'usr/bin/node': '#!/bin/sh\nnode.js/v22.9.0' }, [programs])).to.deep.equal([]);
  });

  it('leaves out what a package of the distribution owns', async () => {
    const owner: Cataloguer<true> = {
      name: 'dpkg',
      version: 1,
      rules: [{ select: { names: ['status'] }, maxBytes: 100, parse: () => true }],
      assemble: () => ({
        components: [
          {
            ref: 'pkg:deb/debian/nodejs@18',
            name: 'nodejs',
            locations: [{ path: 'status', layer: 0 }],
            technique: 'manifest-analysis',
            confidence: 1,
            ownedPaths: ['usr/bin/node'],
          },
        ],
      }),
    };
    const files = {
      status: '',
      'usr/bin/node': program('node.js/v18.1.0'),
      'opt/node/bin/node': program('node.js/v20.1.0'),
    };
    expect(await refsIn(files, [owner, programs])).to.deep.equal([
      'pkg:deb/debian/nodejs@18',
      'pkg:generic/node@20.1.0',
    ]);
  });

  it('names a Java runtime once, by its release file', async () => {
    const release =
      'IMPLEMENTOR="Eclipse Adoptium"\nJAVA_RUNTIME_VERSION="21.0.4+7-LTS"\nJAVA_VERSION="21.0.4"\nSOURCE_REPO="https://github.com/adoptium/jdk21u.git"\n';
    const files = {
      'opt/java/release': release,
      'opt/java/bin/java': program('\0openjdk\0java\x000.0\x0021.0.4+7-LTS\0'),
    };
    expect(await refsIn(files, [jvm, programs])).to.deep.equal([
      'pkg:generic/oracle/openjdk@21.0.4%2B7-LTS?repository_url=https%3A%2F%2Fgithub.com%2Fadoptium%2Fjdk21u.git',
    ]);
  });

  it('finds the version however the program is cut into pieces', () => {
    const [node] = programPatterns;
    const bytes = program('node.js/v22.9.0');
    for (const pieceBytes of [1, 10, 127, 1000]) {
      const search = new ProgramSearch(node === undefined ? [] : [node]);
      for (let at = 0; at < bytes.length; at += pieceBytes) search.write(bytes.subarray(at, at + pieceBytes));
      expect(search.end({})).to.deep.equal({ kind: 'program', name: 'node', version: '22.9.0' });
    }
  });

  it('takes any bytes, anchors without end among them', () => {
    const anchors = programPatterns.flatMap((pattern) => pattern.anchors);
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...anchors), fc.string({ unit: 'binary' })), { maxLength: 40 }),
        (parts) => {
          const search = new ProgramSearch(programPatterns);
          search.write(Buffer.from(parts.join(''), 'latin1'));
          search.end({});
        },
      ),
    );
  });
});

describe('jvm cataloguer', () => {
  it('tells OpenJDK builds from those of vendors with products of their own', async () => {
    const files = {
      'opt/a/release': 'JAVA_VERSION="1.8.0_302"\nFULL_VERSION="1.8.0_302-b08"\nIMPLEMENTOR="Temurin"\n',
      'opt/b/release': 'JAVA_VERSION="17.0.1"\nIMPLEMENTOR="Azul Systems, Inc."\n',
      'opt/c/release': 'JAVA_VERSION="21"\nIMPLEMENTOR="Oracle Corporation"\nIMAGE_TYPE="JRE"\n',
      'etc/release': 'Alpine 3.20\n',
    };
    const { components } = await catalogue([layer(files)], [jvm]);
    expect(components.map(({ ref, cpe }) => [ref, cpe])).to.deep.equal([
      ['pkg:generic/azul/zulu@17.0.1', 'cpe:2.3:a:azul:zulu:17.0.1:*:*:*:*:*:*:*'],
      ['pkg:generic/oracle/jre@21', 'cpe:2.3:a:oracle:jre:21:*:*:*:*:*:*:*'],
      ['pkg:generic/oracle/openjdk@1.8.0_302-b08', 'cpe:2.3:a:oracle:openjdk:1.8.0:update302:*:*:*:*:*:*'],
    ]);
  });

  it('takes any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void parseJvmRelease(Buffer.from(`JAVA_VERSION=${text}\n${text}`))),
    );
  });
});
