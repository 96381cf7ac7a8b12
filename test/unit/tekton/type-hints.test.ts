import { expect } from 'chai';
import fc from 'fast-check';
import { findArtifactDigest, findDigestSet } from '../../../src/tekton/artifact-digest.ts';
import { describeSource } from '../../../src/tekton/finding.ts';
import { findMaterials } from '../../../src/tekton/materials.ts';
import { findSubjects } from '../../../src/tekton/subjects.ts';
import { formatPinned, runWith } from './fixture-runs.ts';

const hex = 'a'.repeat(64);
const other = 'b'.repeat(64);
const codesOf = (run: Parameters<typeof findSubjects>[0]) =>
  [...findSubjects(run).problems, ...findMaterials(run).problems].map(({ code }) => code);

describe('findArtifactDigest', () => {
  it('takes the algorithms and lengths that Chains takes, in any case of the name', () => {
    const texts = [
      `sha256:${hex}`,
      ` SHA256 : ${hex} `,
      `sha1:${hex.slice(24)}`,
      `sha384:${hex}${hex.slice(32)}`,
      `sha512:${hex}${hex}`,
    ];
    expect(texts.map((text) => findArtifactDigest(text)?.algorithm)).to.deep.equal([
      'sha256',
      'sha256',
      'sha1',
      'sha384',
      'sha512',
    ]);
  });

  it('takes nothing else', () => {
    const texts = [
      '',
      hex,
      `sha256:${hex}:1`,
      `sha256:${hex.slice(1)}`,
      `sha256:${hex.toUpperCase()}`,
      `md5:${hex.slice(32)}`,
      `toString:${hex}`,
    ];
    expect(texts.map((text) => findArtifactDigest(text))).to.deep.equal(texts.map(() => undefined));
  });

  it('refuses a set with one bad member', () => {
    expect(findDigestSet({ sha256: hex, sha1: 'x' })).to.equal(undefined);
    expect(findDigestSet({})).to.equal(undefined);
    expect(findDigestSet({ SHA256: hex })).to.deep.equal({ sha256: hex });
  });
});

describe('findSubjects', () => {
  it('refuses a sha512 image digest, which no cosign tag can name, with ERR_TEKTON_RESULT', () => {
    const run = runWith({ IMAGE_URL: 'r.test/a', IMAGE_DIGEST: `sha512:${hex}${hex}` });
    expect(findSubjects(run).subjects).to.deep.equal([]);
    expect(codesOf(run)).to.deep.equal(['ERR_TEKTON_RESULT']);
  });

  it('tells a half with an empty partner with ERR_TEKTON_RESULT_UNPAIRED', () => {
    const run = runWith({ x_IMAGE_URL: 'r.test/a', x_IMAGE_DIGEST: '  ' });
    expect(findSubjects(run).problems).to.deep.equal([
      {
        code: 'ERR_TEKTON_RESULT_UNPAIRED',
        severity: 'notice',
        message: 'result x_IMAGE_URL has no x_IMAGE_DIGEST beside it, so it names nothing that can be signed',
        source: { kind: 'result', names: ['x_IMAGE_URL'] },
      },
    ]);
  });

  it('merges an artifact with the same image and keeps the image', () => {
    const run = runWith({
      IMAGE_URL: 'r.test/a:1',
      IMAGE_DIGEST: `sha256:${hex}`,
      b_ARTIFACT_URI: 'r.test/a',
      b_ARTIFACT_DIGEST: `sha256:${hex}`,
      c_ARTIFACT_URI: 'r.test/a',
      c_ARTIFACT_DIGEST: `sha256:${other}`,
    });
    const { subjects } = findSubjects(run);
    expect(subjects.map(({ image }) => image !== undefined)).to.deep.equal([true, false]);
    expect(subjects[0]?.sources.map(describeSource)).to.deep.equal([
      'results IMAGE_URL + IMAGE_DIGEST',
      'results b_ARTIFACT_URI + b_ARTIFACT_DIGEST',
    ]);
  });

  it('keeps the image that only the later of two equal subjects has', () => {
    const run = runWith(
      { ARTIFACT_URI: 'r.test/a', ARTIFACT_DIGEST: `sha256:${hex}` },
      {
        artifacts: {
          outputs: [{ name: 'o', buildOutput: true, values: [{ uri: 'r.test/a', digest: { sha256: hex } }] }],
        },
      },
    );
    const { subjects } = findSubjects(run);
    expect(subjects).to.have.lengthOf(1);
    expect(subjects[0]?.image).to.deep.equal(subjects[0]?.attachment);
  });

  it('takes no file, package or short name for a place in a registry', () => {
    for (const uri of ['pkg:npm/a@1', 'https://r.test/a.jar', 'file:///a', 'app.jar', 'team/app']) {
      const { subjects } = findSubjects(runWith({ ARTIFACT_URI: uri, ARTIFACT_DIGEST: `sha256:${hex}` }));
      expect(subjects, uri).to.deep.equal([
        {
          name: uri,
          digest: { sha256: hex },
          sources: [{ kind: 'result', names: ['ARTIFACT_URI', 'ARTIFACT_DIGEST'] }],
        },
      ]);
    }
  });

  it('refuses native outputs without uri or with a bad digest with ERR_TEKTON_RESULT', () => {
    const values = [
      { digest: { sha256: hex } },
      { uri: 'r.test/a', digest: { sha256: 'x' } },
      { uri: 'r.test/b' },
    ];
    const run = runWith(
      {},
      { artifacts: { outputs: [{ name: 'o', buildOutput: true, values }], inputs: [{ name: 'i', values }] } },
    );
    expect(codesOf(run)).to.deep.equal(Array.from({ length: 6 }, () => 'ERR_TEKTON_RESULT'));
  });

  it('takes a native output for an image only where it names registry and repository', () => {
    const uris = [
      'r.test/a',
      'oci://r.test/a:1',
      'pkg:oci/a?repository_url=r.test',
      'pkg:oci/a',
      'pkg:npm/a?repository_url=r.test',
      'team/app',
      'pkg:',
    ];
    const values = uris.map((uri) => ({ uri, digest: { sha256: hex } }));
    const { subjects } = findSubjects(
      runWith({}, { artifacts: { outputs: [{ name: 'o', buildOutput: true, values }] } }),
    );
    expect(
      subjects.map(({ name, image }) => (image === undefined ? name : formatPinned(image))),
    ).to.deep.equal([
      `r.test/a@sha256:${hex}`,
      'pkg:oci/a',
      'pkg:npm/a?repository_url=r.test',
      'team/app',
      'pkg:',
    ]);
  });

  it('gives the same subjects for the same run and each image reference once', () => {
    const name = fc.constantFrom('r.test/a', 'r.test/a:1', 'docker.io/a', 'a', 'https://x', '');
    const digest = fc.constantFrom(`sha256:${hex}`, `sha256:${other}`, 'sha256:x', '');
    const results = fc.dictionary(
      fc.constantFrom(
        'IMAGE_URL',
        'IMAGE_DIGEST',
        'b_IMAGE_URL',
        'b_IMAGE_DIGEST',
        'ARTIFACT_URI',
        'ARTIFACT_DIGEST',
      ),
      fc.oneof(name, digest),
    );
    fc.assert(
      fc.property(results, (given) => {
        const { subjects } = findSubjects(runWith(given));
        expect(findSubjects(runWith(given)).subjects).to.deep.equal(subjects);
        const keys = subjects.map((subject) => `${subject.name}@${JSON.stringify(subject.digest)}`);
        expect(new Set(keys).size).to.equal(keys.length);
      }),
    );
  });
});

describe('findMaterials', () => {
  it('refuses a commit that is no object name with ERR_TEKTON_RESULT', () => {
    const run = runWith({ 'CHAINS-GIT_URL': 'https://git.test/a', 'CHAINS-GIT_COMMIT': 'main' });
    expect(findMaterials(run).materials).to.deep.equal([]);
    expect(codesOf(run)).to.deep.equal(['ERR_TEKTON_RESULT']);
  });

  it('falls back to the param where the result is empty', () => {
    const commit = 'c'.repeat(40);
    const run = runWith(
      { 'CHAINS-GIT_URL': 'https://git.test/a', 'CHAINS-GIT_COMMIT': '' },
      {},
      { params: [{ name: 'CHAINS-GIT_COMMIT', value: commit.toUpperCase() }] },
    );
    expect(findMaterials(run).materials[0]?.digest).to.deep.equal({ sha1: commit });
  });

  it('takes the last of two results of one name', () => {
    const results = ['https://git.test/old', 'https://git.test/new'].map((value) => ({
      name: 'CHAINS-GIT_URL',
      value,
    }));
    const commit = { name: 'CHAINS-GIT_COMMIT', value: 'c'.repeat(40) };
    const { materials } = findMaterials(runWith({}, { results: [...results, commit] }));
    expect(materials.map(({ uri }) => uri)).to.deep.equal(['git+https://git.test/new.git']);
  });

  it('tells a url without commit with ERR_TEKTON_RESULT_UNPAIRED', () => {
    expect(codesOf(runWith({ 'CHAINS-GIT_URL': 'https://git.test/a' }))).to.deep.equal([
      'ERR_TEKTON_RESULT_UNPAIRED',
    ]);
  });
});

describe('describeSource', () => {
  it('says where something came from', () => {
    expect(describeSource({ kind: 'step', names: ['build'] })).to.equal('image of step build');
    expect(describeSource({ kind: 'param-default', names: ['A', 'B'] })).to.equal('defaults of params A + B');
  });
});
