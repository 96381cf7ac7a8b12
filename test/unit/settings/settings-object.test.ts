import { expect } from 'chai';
import fc from 'fast-check';
import { isAppError } from '../../../src/model/errors.ts';
import { parseSettingsDocument } from '../../../src/settings/settings-object.ts';

const codeOf = (text: string): string => {
  try {
    parseSettingsDocument(text, 'settings.yaml');
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
  return 'none';
};

describe('settings: document', () => {
  it('reads YAML and JSON alike', () => {
    const expected = { spec: { log: { enabled: true } } };
    expect(parseSettingsDocument('spec:\n  log: {enabled: true}\n', 'f')).to.deep.equal(expected);
    expect(parseSettingsDocument(JSON.stringify(expected), 'f')).to.deep.equal(expected);
  });

  it('leaves words like yes as text, so that the schema can refuse them', () => {
    expect(parseSettingsDocument('a: yes', 'f')).to.deep.equal({ a: 'yes' });
  });

  it('refuses malformed text, repeated keys and several documents with ERR_SETTINGS_SYNTAX', () => {
    expect(codeOf('a: [')).to.equal('ERR_SETTINGS_SYNTAX');
    expect(codeOf('a: 1\na: 2')).to.equal('ERR_SETTINGS_SYNTAX');
    expect(codeOf('a: 1\n---\na: 2')).to.equal('ERR_SETTINGS_SYNTAX');
  });

  it('refuses a document that unfolds without end, or is too long, with ERR_SETTINGS_SYNTAX', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [name, of] of ['b a', 'c b', 'd c', 'e d'].map((pair) => pair.split(' '))) {
      bomb.push(
        `${name ?? ''}: &${name ?? ''} [${Array(10)
          .fill(`*${of ?? ''}`)
          .join(',')}]`,
      );
    }
    expect(codeOf(bomb.join('\n'))).to.equal('ERR_SETTINGS_SYNTAX');
    expect(codeOf(' '.repeat(1024 * 1024 + 1))).to.equal('ERR_SETTINGS_SYNTAX');
  });

  it('throws nothing but ERR_SETTINGS_SYNTAX', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        expect(codeOf(text)).to.be.oneOf(['none', 'ERR_SETTINGS_SYNTAX']);
      }),
    );
  });
});
