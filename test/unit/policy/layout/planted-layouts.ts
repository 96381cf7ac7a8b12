import { coder, owner, stranger } from './layout-scene.ts';
import type { LayoutJson, PlantedChain, StepJson } from './layout-scene.ts';

/** A case: what it is called, the code that it must end with, and what is done. */
export type ChainCase = readonly [name: string, code: string, planted: PlantedChain];

/** A step of a layout. */
export function stepOf({ steps }: LayoutJson, at: number): StepJson {
  const step = steps[at];
  if (step === undefined) throw new Error('the layout has no such step');
  return step;
}

/** A command that somebody would have to run. */
export const untar = {
  _type: 'inspection',
  name: 'untar',
  run: ['tar', 'xzf', 'foo.tgz'],
  expected_materials: [
    ['MATCH', 'foo.tgz', 'WITH', 'PRODUCTS', 'FROM', 'pack'],
    ['DISALLOW', '*'],
  ],
  expected_products: [
    ['MATCH', 'foo.py', 'WITH', 'PRODUCTS', 'FROM', 'code'],
    ['ALLOW', 'foo.tgz'],
    ['DISALLOW', '*'],
  ],
};
/** Owners, expiry and form of the layout. */
export const wrongLayout: readonly ChainCase[] = [
  ['an expired layout', 'ERR_LAYOUT_EXPIRED', { at: '2030-01-01T00:00:00Z' }],
  [
    'an expiry in another zone',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => (layout.expires = '2030-01-01T00:00:00+10:00') },
  ],
  ['no expiry', 'ERR_LAYOUT_FORMAT', { layout: (layout) => Object.assign(layout, { expires: null }) }],
  ['another owner', 'ERR_LAYOUT_SIGNATURE', { owners: [stranger] }],
  ['one of two expected owners', 'ERR_LAYOUT_SIGNATURE', { expected: [owner, stranger] }],
  ['no signature', 'ERR_LAYOUT_SIGNATURE', { owners: [] }],
  ['a changed layout', 'ERR_LAYOUT_SIGNATURE', { text: (text) => text.replace('2030', '2040') }],
  [
    'a changed layout, DSSE',
    'ERR_LAYOUT_SIGNATURE',
    {
      wrapping: 'dsse',
      text: (text) =>
        text.replace(
          /("payload":")([^"]+)/,
          (_all, head: string, payload: string) =>
            `${head}${Buffer.from(Buffer.from(payload, 'base64').toString().replace('2030', '2040')).toString('base64')}`,
        ),
    },
  ],
  [
    'a number that is not whole',
    'ERR_LAYOUT_FORMAT',
    { text: (text) => text.replace('"threshold": 1', '"threshold": 1.5') },
  ],
  [
    'a member twice',
    'ERR_LAYOUT_FORMAT',
    { text: (text) => text.replace('"expires"', '"expires": "2040-01-01T00:00:00Z", "expires"') },
  ],
  ['a link in the place of the layout', 'ERR_LAYOUT_FORMAT', { layout: (layout) => (layout._type = 'link') }],
  ['no steps', 'ERR_LAYOUT_FORMAT', { layout: (layout) => (layout.steps = []) }],
  [
    'two steps of one name',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => layout.steps.push(stepOf(layout, 0)) },
  ],
  [
    'an inspection named as a step',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => layout.inspect.push({ ...untar, name: 'code' }) },
  ],
  [
    'a step that leaves its folder',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => (stepOf(layout, 0).name = '../code') },
  ],
  ['a step named as a folder', 'ERR_LAYOUT_FORMAT', { layout: (layout) => (stepOf(layout, 0).name = '..') }],
  [
    'a key id that leaves its folder',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => (layout.keys['../../etc'] = coder.key) },
  ],
  [
    'a step by a key that is not there',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => stepOf(layout, 0).pubkeys.push(stranger.keyid) },
  ],
  ['a threshold of none', 'ERR_LAYOUT_FORMAT', { layout: (layout) => (stepOf(layout, 0).threshold = 0) }],
  [
    'a threshold that nobody can reach',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => (stepOf(layout, 0).threshold = 2) },
  ],
  [
    'a rule that is none',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => stepOf(layout, 0).expected_products.unshift(['PERMIT', '*']) },
  ],
  [
    'a MATCH rule without a step',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => stepOf(layout, 1).expected_materials.unshift(['MATCH', '*', 'WITH', 'PRODUCTS']) },
  ],
  [
    'a rule with words too many',
    'ERR_LAYOUT_FORMAT',
    { layout: (layout) => stepOf(layout, 0).expected_products.unshift(['ALLOW', '*', 'IN', 'src']) },
  ],
  [
    'a key of an unknown scheme',
    'ERR_LAYOUT_KEY',
    { layout: (layout) => (layout.keys[coder.keyid] = { ...coder.key, scheme: 'hmac' }) },
  ],
  [
    'a key that is another kind than its scheme',
    'ERR_LAYOUT_KEY',
    { layout: (layout) => (layout.keys[coder.keyid] = { ...coder.key, scheme: 'rsassa-pss-sha256' }) },
  ],
];
