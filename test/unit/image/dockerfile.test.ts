import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { entrypoint, environment, user } from '../../../hack/image/contents.ts';

const root = new URL('../../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const runtime = dockerfile.slice(dockerfile.lastIndexOf('FROM '));

  it('starts what the image that we build by ourselves starts, as the same user', () => {
    const [, command = ''] = /^ENTRYPOINT (.+)$/m.exec(runtime) ?? [];
    expect(JSON.parse(command)).to.deep.equal(entrypoint);
    expect(runtime).to.include(`USER ${user}:${user}`);
    const { PATH: _path, ...variables } = environment;
    expect(runtime).to.include(
      `ENV ${Object.entries(variables)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
    );
  });

  it('builds with the Node that everything else is built with, and runs on the same line', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: { node: string } };
    expect(dockerfile).to.include(`ARG NODE_VERSION=${devDependencies.node}`);
    expect(runtime).to.include(`nodejs${devDependencies.node.split('.')[0] ?? ''}-`);
  });

  it('copies only what is there and what .dockerignore lets through', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    );
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied).to.include('src');
    for (const name of copied) {
      expect(existsSync(new URL(name, root)), name).to.equal(true);
      expect(
        allowed.some((path) => name === path || name.startsWith(`${path}/`)),
        name,
      ).to.equal(true);
    }
  });
});
