import { mediaTypes } from '../../../../src/model/oci.ts';
import { encodeEnvelope, inTotoPayloadType, preAuthEncoding } from '../../../../src/statements/dsse.ts';
import {
  coder,
  files,
  linkFile,
  linkOf,
  newLayout,
  newPerson,
  owner,
  packer,
  signatureOf,
  signedBy,
  stranger,
} from './layout-scene.ts';
import type { LayoutJson, Person, PlantedChain } from './layout-scene.ts';
import { stepOf, untar, wrongLayout } from './planted-layouts.ts';
import type { ChainCase } from './planted-layouts.ts';

const code = (products: object, materials: object = {}, people: readonly Person[] = [coder]) => ({
  [linkFile('code', coder)]: signedBy(linkOf('code', materials, products), people),
});
const pack = (materials: object, products: object) => ({
  [linkFile('pack', packer)]: signedBy(linkOf('pack', materials, products), [packer]),
});
const both = { 'foo.py': files.source, 'foo.tgz': files.archive };

/** An attestation in an envelope, by whoever. */
function attestation(statement: object, { privateKey, keyid }: Person) {
  const payload = Buffer.from(JSON.stringify(statement));
  const sig = signatureOf(privateKey, preAuthEncoding(inTotoPayloadType, payload));
  const content = encodeEnvelope({ payloadType: inTotoPayloadType, payload, signatures: [{ keyid, sig }] });
  return {
    source: 'attestation',
    evidence: { layout: 'tag', mediaType: mediaTypes.dsseEnvelope, content, annotations: {} },
  } as const;
}

/** A statement about the file that the first step makes. */
function statement(predicateType: string, predicate: object, name = 'foo.py'): object {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name, digest: files.source }],
    predicateType,
    predicate,
  };
}

const withoutCodeLink = { [linkFile('code', coder)]: undefined };
const slsa = statement('https://slsa.dev/provenance/v0.2', { materials: [] });
const secondCoder = newPerson();
const twoCoders = (layout: LayoutJson): void => {
  layout.keys[secondCoder.keyid] = secondCoder.key;
  stepOf(layout, 0).pubkeys.push(secondCoder.keyid);
  stepOf(layout, 0).threshold = 2;
};
const secondLink = (products: object) => ({
  [linkFile('code', secondCoder)]: signedBy(linkOf('code', {}, products), [secondCoder]),
});
const untarred = (content: object) =>
  linkOf('untar', { 'foo.tgz': files.archive }, { 'foo.tgz': files.archive, 'foo.py': content });

/** The first step as a layout of the coder's, which the second coder carries out. */
function inner(change: (layout: LayoutJson) => void = () => undefined): LayoutJson {
  const layout = newLayout();
  layout.keys = { [secondCoder.keyid]: secondCoder.key };
  layout.steps = [{ ...stepOf(layout, 0), name: 'type', pubkeys: [secondCoder.keyid] }];
  change(layout);
  return layout;
}
const innerFolder = `code.${coder.keyid.slice(0, 8)}`;
const innerLink = (products: object) => ({
  [`${innerFolder}/${linkFile('type', secondCoder)}`]: signedBy(linkOf('type', {}, products), [secondCoder]),
});
const asLayout = (layout: LayoutJson, people: readonly Person[] = [coder]) => ({
  [linkFile('code', coder)]: signedBy(layout, people),
});

/** Layouts inside one another without end, each signed by the same person. */
function nested(): Record<string, Buffer> {
  const layout = newLayout();
  layout.keys = { [coder.keyid]: coder.key };
  layout.steps = [stepOf(layout, 0)];
  const signed = signedBy(layout, [coder]);
  const links: Record<string, Buffer> = {};
  for (let depth = 0, folder = ''; depth < 20; depth += 1, folder += `${innerFolder}/`) {
    links[`${folder}${linkFile('code', coder)}`] = signed;
  }
  return links;
}

/** What must hold. */
export const accepted: readonly (readonly [name: string, planted: PlantedChain])[] = [
  ['a supply chain as the layout says', {}],
  ['the same in a DSSE envelope', { wrapping: 'dsse' }],
  ['two owners, who both are expected', { owners: [owner, stranger], expected: [owner, stranger] }],
  [
    'a link in a DSSE envelope',
    {
      links: {
        [linkFile('code', coder)]: signedBy(linkOf('code', {}, { 'foo.py': files.source }), [coder], 'dsse'),
      },
    },
  ],
  [
    'two functionaries who say the same',
    { layout: twoCoders, links: secondLink({ 'foo.py': files.source }) },
  ],
  [
    'keywords in lower case',
    {
      layout: (layout) =>
        (stepOf(layout, 0).expected_products = [
          ['create', 'foo.py'],
          ['disallow', '*'],
        ]),
    },
  ],
  [
    'a step as a layout of its own',
    { links: { ...asLayout(inner()), ...innerLink({ 'foo.py': files.source }) } },
  ],
  [
    'SLSA provenance v0.2 instead of a link',
    { links: withoutCodeLink, attestations: { code: [attestation(slsa, coder)] } },
  ],
  [
    'SLSA provenance v1 whose dependencies match',
    {
      links: { [linkFile('pack', packer)]: undefined },
      layout: (layout) => {
        stepOf(layout, 1).pubkeys = [coder.keyid];
        stepOf(layout, 1).expected_products = [
          ['ALLOW', 'foo.py'],
          ['DISALLOW', '*'],
        ];
      },
      attestations: {
        pack: [
          attestation(
            statement('https://slsa.dev/provenance/v1', {
              buildDefinition: { resolvedDependencies: [{ name: 'foo.py', digest: files.source }] },
            }),
            coder,
          ),
        ],
      },
    },
  ],
  [
    'an in-toto link attestation instead of a link',
    {
      links: withoutCodeLink,
      attestations: {
        code: [
          attestation(
            statement('https://in-toto.io/attestation/link/v0.3', {
              name: 'code',
              command: ['vi'],
              materials: [],
            }),
            coder,
          ),
        ],
      },
    },
  ],
  [
    'an inspection that somebody else ran',
    { layout: (layout) => layout.inspect.push(untar), inspected: { untar: untarred(files.source) } },
  ],
  [
    'files in folders that rules leave away',
    {
      layout: (layout) => {
        stepOf(layout, 0).expected_products = [
          ['CREATE', 'src/*'],
          ['DISALLOW', '*'],
        ];
        stepOf(layout, 1).expected_materials = [
          ['MATCH', '*.py', 'IN', 'build', 'WITH', 'PRODUCTS', 'IN', 'src', 'FROM', 'code'],
          ['DISALLOW', '*'],
        ];
      },
      links: { ...code({ 'src/foo.py': files.source }), ...pack({ 'build/foo.py': files.source }, both) },
    },
  ],
];

/** What functionaries say, and who they are. */
const wrongReports: readonly ChainCase[] = [
  ['no link', 'ERR_LAYOUT_THRESHOLD', { links: withoutCodeLink }],
  [
    'a link by a stranger',
    'ERR_LAYOUT_THRESHOLD',
    { links: code({ 'foo.py': files.source }, {}, [stranger]) },
  ],
  ['a link without a signature', 'ERR_LAYOUT_THRESHOLD', { links: code({ 'foo.py': files.source }, {}, []) }],
  [
    'the link of another step',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: { [linkFile('code', coder)]: signedBy(linkOf('pack', {}, { 'foo.py': files.source }), [coder]) },
    },
  ],
  ['what is no link', 'ERR_LAYOUT_THRESHOLD', { links: { [linkFile('code', coder)]: Buffer.from('{}') } }],
  [
    'a changed link',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: {
        [linkFile('code', coder)]: Buffer.from(
          signedBy(linkOf('code', {}, { 'foo.py': files.source }), [coder])
            .toString()
            .replace('aaaa', 'bbbb'),
        ),
      },
    },
  ],
  ['a name in a second spelling', 'ERR_LAYOUT_THRESHOLD', { links: code({ './foo.py': files.source }) }],
  ['a name that climbs back', 'ERR_LAYOUT_THRESHOLD', { links: code({ 'src/../foo.py': files.source }) }],
  ['a name with two slashes', 'ERR_LAYOUT_THRESHOLD', { links: code({ 'src//foo.py': files.source }) }],
  ['a name with a line break', 'ERR_LAYOUT_THRESHOLD', { links: code({ 'foo.py\n': files.source }) }],
  ['a file without a hash', 'ERR_LAYOUT_THRESHOLD', { links: code({ 'foo.py': {} }) }],
  ['one of two functionaries', 'ERR_LAYOUT_THRESHOLD', { layout: twoCoders }],
  [
    'one link under two names',
    'ERR_LAYOUT_THRESHOLD',
    {
      layout: twoCoders,
      links: {
        [linkFile('code', secondCoder)]: signedBy(linkOf('code', {}, { 'foo.py': files.source }), [coder]),
      },
    },
  ],
  [
    'one key under two ids',
    'ERR_LAYOUT_THRESHOLD',
    {
      layout: (layout) => {
        layout.keys['abcdef0123'] = coder.key;
        stepOf(layout, 0).pubkeys.push('abcdef0123');
        stepOf(layout, 0).threshold = 2;
      },
      links: { 'code.abcdef01.link': signedBy(linkOf('code', {}, { 'foo.py': files.source }), [coder]) },
    },
  ],
  [
    'two functionaries who disagree',
    'ERR_LAYOUT_DISAGREE',
    { layout: twoCoders, links: secondLink({ 'foo.py': files.other }) },
  ],
  [
    'an attestation by a stranger',
    'ERR_LAYOUT_THRESHOLD',
    { links: withoutCodeLink, attestations: { code: [attestation(slsa, stranger)] } },
  ],
  [
    'an attestation of another kind',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: withoutCodeLink,
      attestations: { code: [attestation(statement('https://cyclonedx.org/bom', {}), coder)] },
    },
  ],
  [
    'the link attestation of another step',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: withoutCodeLink,
      attestations: { code: [attestation(statement('https://in-toto.io/Link/v1', { name: 'pack' }), coder)] },
    },
  ],
  [
    'a certificate that nobody vouches for',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: withoutCodeLink,
      layout: (layout) =>
        Object.assign(stepOf(layout, 0), {
          pubkeys: [],
          cert_constraints: [{ uris: ['https://ci.example'], roots: ['*'] }],
        }),
      attestations: { code: [attestation(slsa, coder)] },
    },
  ],
];

/** Files that should not be there, should be others, or are missing. */
const wrongFiles: readonly ChainCase[] = [
  ['a file too many', 'ERR_LAYOUT_RULE', { links: code({ 'foo.py': files.source, 'evil.py': files.other }) }],
  [
    'a file that was there before',
    'ERR_LAYOUT_RULE',
    { links: code({ 'foo.py': files.source }, { 'foo.py': files.source }) },
  ],
  [
    'a file that changed between two steps',
    'ERR_LAYOUT_RULE',
    { links: pack({ 'foo.py': files.other }, both) },
  ],
  [
    'a file that no step made',
    'ERR_LAYOUT_RULE',
    { links: pack({ 'foo.py': files.source, 'evil.py': files.other }, both) },
  ],
  [
    'the same file by another hash alone',
    'ERR_LAYOUT_RULE',
    { links: pack({ 'foo.py': { sha512: 'a'.repeat(128) } }, both) },
  ],
  [
    'a required file that is missing',
    'ERR_LAYOUT_RULE',
    { layout: (layout) => stepOf(layout, 0).expected_products.unshift(['REQUIRE', 'LICENSE']) },
  ],
  [
    'a file that should have changed',
    'ERR_LAYOUT_RULE',
    {
      layout: (layout) =>
        (stepOf(layout, 1).expected_products = [
          ['MODIFY', 'foo.py'],
          ['CREATE', 'foo.tgz'],
          ['DISALLOW', '*'],
        ]),
    },
  ],
  [
    'a file that should be gone',
    'ERR_LAYOUT_RULE',
    {
      layout: (layout) =>
        (stepOf(layout, 1).expected_materials = [
          ['DELETE', 'foo.py'],
          ['DISALLOW', '*'],
        ]),
    },
  ],
  [
    'a rule about a step that is not there',
    'ERR_LAYOUT_RULE',
    {
      layout: (layout) =>
        (stepOf(layout, 1).expected_materials = [
          ['MATCH', '*', 'WITH', 'PRODUCTS', 'FROM', 'review'],
          ['DISALLOW', '*'],
        ]),
    },
  ],
  [
    'a folder whose name only begins alike',
    'ERR_LAYOUT_RULE',
    {
      layout: (layout) =>
        (stepOf(layout, 1).expected_materials = [
          ['MATCH', '*', 'IN', 'src', 'WITH', 'PRODUCTS', 'FROM', 'code'],
          ['DISALLOW', '*'],
        ]),
      links: pack({ 'src2/foo.py': files.source }, both),
    },
  ],
  [
    'an inspection that nobody ran',
    'ERR_LAYOUT_INSPECTION',
    { layout: (layout) => layout.inspect.push(untar) },
  ],
  [
    'an inspection that found another file',
    'ERR_LAYOUT_RULE',
    { layout: (layout) => layout.inspect.push(untar), inspected: { untar: untarred(files.other) } },
  ],
];

/** Layouts inside layouts. */
const wrongInside: readonly ChainCase[] = [
  [
    'an inner layout by a stranger',
    'ERR_LAYOUT_THRESHOLD',
    { links: { ...asLayout(inner(), [stranger]), ...innerLink({ 'foo.py': files.source }) } },
  ],
  [
    'an inner layout that expired',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: {
        ...asLayout(inner((layout) => (layout.expires = '2020-01-01T00:00:00Z'))),
        ...innerLink({ 'foo.py': files.source }),
      },
    },
  ],
  ['an inner layout without links', 'ERR_LAYOUT_THRESHOLD', { links: asLayout(inner()) }],
  [
    'an inner layout whose links lie outside',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: {
        ...asLayout(inner()),
        [linkFile('type', secondCoder)]: signedBy(linkOf('type', {}, { 'foo.py': files.source }), [
          secondCoder,
        ]),
      },
    },
  ],
  [
    'an inner layout with an inspection',
    'ERR_LAYOUT_THRESHOLD',
    {
      links: {
        ...asLayout(inner((layout) => layout.inspect.push(untar))),
        ...innerLink({ 'foo.py': files.source }),
      },
      inspected: { untar: untarred(files.source) },
    },
  ],
  [
    'an inner layout that allows what the outer one forbids',
    'ERR_LAYOUT_RULE',
    {
      links: {
        ...asLayout(inner((layout) => (stepOf(layout, 0).expected_products = []))),
        ...innerLink({ 'foo.py': files.source, 'evil.py': files.other }),
      },
    },
  ],
  ['layouts inside one another without end', 'ERR_LAYOUT_DEPTH', { links: nested() }],
];

/** What must not hold. */
export const refused: readonly ChainCase[] = [...wrongLayout, ...wrongReports, ...wrongFiles, ...wrongInside];
