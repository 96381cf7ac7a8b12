import { expect } from 'chai';
import fc from 'fast-check';
import { findGroup } from '../../../../src/sbom/cataloguers/java-group-search.ts';
import type { GroupEvidence } from '../../../../src/sbom/cataloguers/java-group-search.ts';
import { CommonPackage } from '../../../../src/sbom/cataloguers/java-package.ts';
import { java } from '../../../../src/sbom/cataloguers/java.ts';
import { catalogue, layer } from '../image-fixture.ts';
import { zip } from './zip-fixture.ts';

type Sample = Omit<GroupEvidence, 'manifest'> & { readonly manifest?: GroupEvidence['manifest'] };

/** What archives on Maven Central say of themselves, and the group that they are published under there. */
const samples: readonly (readonly [group: string, evidence: Sample])[] = [
  [
    'org.elasticsearch.plugin',
    {
      artifact: 'aggs-matrix-stats-client',
      manifest: { 'implementation-title': 'org.elasticsearch.plugin#aggs-matrix-stats;7.17.29' },
      root: 'org.elasticsearch.search.aggregations.matrix',
    },
  ],
  [
    'org.elasticsearch.client',
    {
      artifact: 'elasticsearch-rest-client',
      manifest: { 'implementation-title': 'org.elasticsearch.client#rest;7.17.29' },
    },
  ],
  ['com.google.api', { artifact: 'api-common', manifest: { groupid: 'com.google.api' } }],
  [
    'org.ow2.asm',
    {
      artifact: 'asm',
      manifest: { 'bundle-docurl': 'http://asm.ow2.org', 'bundle-symbolicname': 'org.objectweb.asm' },
    },
  ],
  [
    'com.fasterxml.jackson.module',
    {
      artifact: 'jackson-module-scala_2.12',
      manifest: { 'bundle-symbolicname': 'com.fasterxml.jackson.module.jackson.module.scala' },
    },
  ],
  ['org.thymeleaf', { artifact: 'thymeleaf', root: 'org.thymeleaf' }],
  ['org.thymeleaf', { artifact: 'thymeleaf-spring6', root: 'org.thymeleaf.spring6' }],
  ['com.google.re2j', { artifact: 're2j', root: 'com.google.re2j' }],
  ['org.rocksdb', { artifact: 'rocksdbjni', root: 'org.rocksdb' }],
  ['io.opencensus', { artifact: 'opencensus-contrib-http-util', root: 'io.opencensus.contrib.http' }],
  [
    'com.google.cloud.opentelemetry',
    { artifact: 'exporter-metrics', root: 'com.google.cloud.opentelemetry.metric' },
  ],
  [
    'com.google.cloud.opentelemetry',
    {
      artifact: 'detector-resources-support',
      root: 'com.google.cloud.opentelemetry.detection',
      required: 'com.google.cloud.opentelemetry',
    },
  ],
  [
    'io.opentelemetry.contrib',
    { artifact: 'opentelemetry-gcp-resources', root: 'io.opentelemetry.contrib.gcp.resource' },
  ],
  ['org.apache.derby', { artifact: 'derby', root: 'org.apache.derby' }],
  ['org.codehaus.jackson', { artifact: 'jackson-core-asl', root: 'org.codehaus.jackson' }],
  ['org.apache.ivy', { artifact: 'ivy', root: 'org.apache.ivy' }],
];

describe('Maven group of an archive without Maven files', () => {
  for (const [group, { manifest = {}, ...evidence }] of samples) {
    it(`is ${group} for ${evidence.artifact}`, () => {
      expect(findGroup({ manifest, ...evidence })).to.equal(group);
    });
  }

  it('is not taken of poms that require another artifact of the same name', () => {
    expect(
      findGroup({ artifact: 'common', manifest: {}, root: 'org.example.common', required: 'com.other' }),
    ).to.equal('org.example');
  });

  it('is not taken of packages that anybody implements, nor of what is no domain', () => {
    expect(findGroup({ artifact: 'some-api', manifest: {}, root: 'javax.xml.stream' })).to.equal(undefined);
    expect(findGroup({ artifact: 'x', manifest: {}, root: 'scala.collection' })).to.equal(undefined);
    expect(
      findGroup({ artifact: 'x', manifest: { 'implementation-title': 'a title # with; signs' } }),
    ).to.equal(undefined);
  });

  it('is found through the poms of other archives in the image, where these agree', async () => {
    const pom = (artifact: string, group: string): string =>
      `<project><groupId>g.h</groupId><artifactId>${artifact}</artifactId><version>1</version><dependencies>` +
      `<dependency><groupId>${group}</groupId><artifactId>support</artifactId></dependency>` +
      '<dependency><groupId>com.example</groupId><artifactId>detector</artifactId></dependency></dependencies></project>';
    const bare = { 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\r\n', 'com/example/Thing.class': '' };
    const image = layer({
      'a-1.jar': zip({ 'META-INF/maven/g.h/a/pom.xml': pom('a', 'com.example.one') }),
      'b-1.jar': zip({ 'META-INF/maven/g.h/b/pom.xml': pom('b', 'com.example.two') }),
      'detector-2.jar': zip(bare),
      'support-2.jar': zip(bare),
    });
    const { components } = await catalogue([image], [java]);
    const groups = components.map(({ name, group }) => `${name}: ${group ?? ''}`);
    expect(groups).to.include.members(['detector: com.example', 'support: com.example']);
  });
});

describe('common package', () => {
  const packageOf = (...entries: readonly string[]): string | undefined => {
    const common = new CommonPackage();
    entries.forEach((entry) => {
      common.add(entry);
    });
    return common.name();
  };

  it('is what all classes share, those of the archive itself left out', () => {
    expect(
      packageOf(
        'module-info.class',
        'a/b/c/D.class',
        'META-INF/versions/9/x/Y.class',
        'a/b/cd/E.class',
        'a/b/c/F.class',
      ),
    ).to.equal('a.b');
    expect(packageOf('a/b/c/D.class', 'a/b/c/d/E.class')).to.equal('a.b.c');
  });

  it('is none where classes share less than two names', () => {
    expect(packageOf('a/b/C.class', 'a/c/D.class')).to.equal(undefined);
    expect(packageOf('a/b/C.class', 'x/y/D.class', 'a/b/E.class')).to.equal(undefined);
    expect(packageOf()).to.equal(undefined);
  });

  it('is a beginning of every folder', () => {
    const folder = fc.array(fc.constantFrom('a', 'b', 'ab'), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(folder, { minLength: 1, maxLength: 6 }), (folders) => {
        const entries = folders.map((parts) => `${parts.join('/')}/X.class`);
        const name = packageOf(...entries);
        const prefix = name === undefined ? '' : `${name.replaceAll('.', '/')}/`;
        expect(entries.every((entry) => entry.startsWith(prefix))).to.equal(true);
      }),
    );
  });
});
