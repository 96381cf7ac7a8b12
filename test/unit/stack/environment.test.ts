import { execFileSync } from 'node:child_process';

import { expect } from 'chai';

import { parseShellText, shellText } from '../../../hack/stack/environment.ts';

describe('the stack environment file', () => {
  const variables = { STACK_ROBOT_USER: 'robot$golem-trust', ODD: 'it\'s `odd` \\ and "more"', EMPTY: '' };

  it('is read back as it was written', () => {
    expect(parseShellText(shellText(variables))).to.deep.equal(variables);
  });

  it('means the same to a shell', () => {
    const script = `${shellText(variables)}printf %s "$STACK_ROBOT_USER|$ODD|$EMPTY"`;
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).to.equal(
      `${variables.STACK_ROBOT_USER}|${variables.ODD}|`,
    );
  });
});
