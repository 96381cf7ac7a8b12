import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../stack/process/run.ts';
import { runInside } from '../chroot.ts';
import type { DeclaredFile, Recipe } from '../recipe.ts';
import { aptInstall, debianBase } from './debian.ts';

const springBoot = '3.5.8';
const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
const starters = [
  'web',
  'data-jpa',
  'security',
  'actuator',
  'validation',
  'data-redis',
  'thymeleaf',
  'oauth2-client',
];
const libraries = [
  'org.apache.kafka:kafka-streams:3.9.1',
  'org.apache.hadoop:hadoop-client-runtime:3.4.2',
  'org.elasticsearch.client:elasticsearch-rest-high-level-client:7.17.29',
  'org.apache.camel:camel-core:4.14.2',
  'io.quarkus:quarkus-resteasy:3.28.5',
  'com.google.cloud:google-cloud-storage:2.59.0',
];

/** A fat archive, and a folder of archives of which a later layer deletes some. */
export const javaApplication: Recipe = {
  name: 'java',
  revision: 1,
  about: 'Java: Spring Boot fat jar, folder of 200+ jars, a JRE',
  build: async ({ image, base, scratch, declare }) => {
    await image.startFrom(await base(debianBase.name));
    await runInside(
      image.root,
      `mkdir -p /usr/share/man/man1 && ${aptInstall} openjdk-17-jre-headless && apt-get clean && rm -rf /var/lib/apt/lists/*`,
    );
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    const app = join(image.root, 'app');
    await mkdir(app);
    await cp(await fatJar(join(scratch, 'shop')), join(app, 'shop.jar'));
    await copyLibraries(join(scratch, 'libraries'), join(app, 'lib'));
    await image.commit({ compression: 'gzip', archive: 'pax' });
    const unwanted = (await readdir(join(app, 'lib'))).filter((name) => name.startsWith('kafka'));
    await run(
      'rm',
      unwanted.map((name) => join(app, 'lib', name)),
    );
    await image.commit({ compression: 'gzip', archive: 'gnu' });
    declare(await resolvedBy(join(scratch, 'shop')));
    declare(await resolvedBy(join(scratch, 'libraries')));
  },
};

async function fatJar(folder: string): Promise<string> {
  const code = join(folder, 'src/main/java/example');
  await mkdir(code, { recursive: true });
  await writeFile(
    join(code, 'Shop.java'),
    'package example;\npublic class Shop { public static void main(String[] args) { } }\n',
  );
  const dependencies = starters.map((name) =>
    dependency(`org.springframework.boot:spring-boot-starter-${name}`),
  );
  await writeFile(
    join(folder, 'pom.xml'),
    project(
      'shop',
      `<parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId><version>${springBoot}</version></parent>`,
      `<dependencies>${dependencies.join('')}</dependencies><build><plugins><plugin><groupId>org.springframework.boot</groupId><artifactId>spring-boot-maven-plugin</artifactId></plugin></plugins></build>`,
    ),
  );
  await maven(folder, 'package', '-DskipTests');
  return join(folder, 'target/shop-1.3.0.jar');
}

async function copyLibraries(folder: string, target: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, 'pom.xml'),
    project('libraries', '', `<dependencies>${libraries.map(dependency).join('')}</dependencies>`),
  );
  await maven(
    folder,
    `${dependencyPlugin}:copy-dependencies`,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${target}`,
  );
}

/** What Maven itself resolved, by its own report. */
async function resolvedBy(folder: string): Promise<DeclaredFile[]> {
  const report = join(folder, 'resolved.txt');
  await maven(
    folder,
    `${dependencyPlugin}:list`,
    '-DincludeScope=runtime',
    `-DoutputFile=${report}`,
    '-DexcludeTransitive=false',
  );
  const lines = (await readFile(report, 'utf8')).split('\n').map((line) => line.trim().split(' ')[0] ?? '');
  return lines.flatMap((line) => {
    const parts = line.split(':');
    const [group, artifact, type] = parts;
    const version = parts.at(-2);
    if (type !== 'jar' || version === undefined) return [];
    const classifier = parts.length === 6 ? `-${parts[3] ?? ''}` : '';
    const key = `maven/${group}/${artifact}@${version}`;
    return [{ key, file: `${artifact}-${version}${classifier}.jar` }];
  });
}

async function maven(folder: string, ...args: string[]): Promise<void> {
  await run('mvn', ['--batch-mode', '--quiet', ...args], { cwd: folder });
}

function project(name: string, parent: string, body: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>${parent}<groupId>example.shop</groupId><artifactId>${name}</artifactId><version>1.3.0</version>${body}</project>`;
}

function dependency(coordinates: string): string {
  const [group = '', artifact = '', version] = coordinates.split(':');
  const versionTag = version === undefined ? '' : `<version>${version}</version>`;
  return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>${versionTag}</dependency>`;
}
