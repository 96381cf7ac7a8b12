import type { Cataloguer, CatalogueView, FoundComponent, FoundFile } from '../cataloguer.ts';
import { identify } from './formats/component-identity.ts';
import { defined, textOf } from './formats/json-fields.ts';
import { webAddress } from './formats/supplier.ts';

/** What a Java runtime's `release` file says. */
export interface JvmRelease {
  readonly version: string;
  readonly implementor?: string;
  readonly implementorVersion?: string;
  readonly imageType?: string;
  readonly repository?: string;
}

const releaseBytes = 512 * 1024;

/**
 * Java runtimes that no package manager installed, by the `release` file in their folder. The purl is the one that
 * vulnerability data is kept under: OpenJDK builds of all vendors count as `oracle/openjdk`.
 */
export const jvm: Cataloguer<JvmRelease> = {
  name: 'jvm',
  version: 1,
  rules: [
    {
      select: { names: ['release'], accept: ({ size }) => size <= releaseBytes },
      maxBytes: releaseBytes,
      parse: parseJvmRelease,
    },
  ],
  assemble(view) {
    return { components: view.files.flatMap((file) => componentOf(view, file)) };
  },
};

/** Reads `KEY="value"` lines; undefined without a Java version: other software has files of that name. */
export function parseJvmRelease(content: Uint8Array): JvmRelease | undefined {
  const fields = new Map<string, string>();
  for (const line of textOf(content).split(/\r?\n/)) {
    const equals = line.indexOf('=');
    const value = line
      .slice(equals + 1)
      .trim()
      .replace(/^"|"$/g, '');
    if (equals > 0 && value !== '') fields.set(line.slice(0, equals).trim(), value);
  }
  const version = versionOf(fields);
  if (version === undefined) return undefined;
  return {
    version,
    ...defined({
      implementor: fields.get('IMPLEMENTOR'),
      implementorVersion: fields.get('IMPLEMENTOR_VERSION'),
      imageType: fields.get('IMAGE_TYPE'),
      repository: webAddress(fields.get('SOURCE_REPO') ?? fields.get('BUILD_SOURCE_REPO')),
    }),
  };
}

/** Before JEP 223 the full version may use another scheme (`8.0.422+5`) than Java's own (`1.8.0_422`). */
function versionOf(fields: ReadonlyMap<string, string>): string | undefined {
  const java = fields.get('JAVA_VERSION');
  const runtime = fields.get('JAVA_RUNTIME_VERSION');
  if (java === undefined || runtime !== undefined) return runtime;
  const full = fields.get('FULL_VERSION');
  return full !== undefined && full.split('.')[0] === java.split('.')[0] ? full : java;
}

function componentOf(
  view: CatalogueView<JvmRelease>,
  { path, layer, fact }: FoundFile<JvmRelease>,
): FoundComponent[] {
  if (view.ownerOf(path) !== undefined) return [];
  const { vendor, product } = productOf(fact, path);
  return [
    {
      ...identify({
        type: 'generic',
        namespace: vendor,
        name: product,
        version: fact.version,
        qualifiers: { repository_url: fact.repository },
      }),
      type: 'platform',
      name: product,
      version: fact.version,
      ...defined({
        supplier: fact.implementor === undefined ? undefined : { name: fact.implementor },
        properties:
          fact.implementorVersion === undefined
            ? undefined
            : { 'jvm:implementor-version': fact.implementorVersion },
      }),
      cpe: cpeOf(vendor, product, fact.version),
      locations: [{ path, layer }],
      technique: 'manifest-analysis',
      confidence: 1,
    },
  ];
}

/** Vendor and product as the NVD names them. */
function productOf(
  { implementor = '', imageType }: JvmRelease,
  path: string,
): { vendor: string; product: string } {
  const maker = implementor.toLowerCase();
  const kind = imageType?.toLowerCase().includes('jre') === true ? 'jre' : 'jdk';
  if (maker.includes('azul') || path.includes('zulu')) return { vendor: 'azul', product: 'zulu' };
  if (maker.startsWith('sun ')) return { vendor: 'sun', product: kind };
  if (maker.includes('ibm') || maker.includes('international business machines')) {
    return { vendor: 'ibm', product: kind === 'jdk' ? 'java_sdk' : 'java' };
  }
  return { vendor: 'oracle', product: maker.includes('oracle') ? kind : 'openjdk' };
}

/** `1.8.0_302-b08` has the update in a field of its own, `21.0.4+7` drops the build. */
function cpeOf(vendor: string, product: string, version: string): string {
  const [legacy = '', update] = version.split('_');
  const number = update === undefined ? (version.split(/[+-]/)[0] ?? version) : legacy;
  const suffix =
    update === undefined ? '*' : `update${(update.split('-')[0] ?? '').replace(/^0+(?=\d)/, '')}`;
  return `cpe:2.3:a:${vendor}:${product}:${escapeCpe(number)}:${escapeCpe(suffix)}:*:*:*:*:*:*`;
}

function escapeCpe(text: string): string {
  return text === '*' ? text : text.replace(/[^\w.-]/g, (sign) => `\\${sign}`);
}
