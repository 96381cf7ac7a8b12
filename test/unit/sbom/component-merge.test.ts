import { expect } from 'chai';
import type { FoundComponent } from '../../../src/sbom/cataloguer.ts';
import { mergeComponents } from '../../../src/sbom/component-merge.ts';
import { dropDanglingEdges, findTopLevel } from '../../../src/sbom/dependency-graph.ts';

const component = (ref: string, fields: Partial<FoundComponent> = {}): FoundComponent => ({
  ref,
  name: ref,
  locations: [{ path: `${ref}/x`, layer: 0 }],
  technique: 'manifest-analysis',
  confidence: 1,
  ...fields,
});

describe('component merge', () => {
  it('makes one component of those with equal refs, with all their places, licences, hashes and edges', () => {
    const sha = { algorithm: 'SHA-256', hex: 'ab' } as const;
    const [merged, ...others] = mergeComponents([
      component('a', {
        licences: ['MIT'],
        dependsOn: ['b'],
        dependencies: 'complete',
        properties: { one: '1' },
      }),
      component('a', {
        locations: [{ path: 'else/x', layer: 2 }],
        licences: ['MIT', 'ISC'],
        dependsOn: ['c'],
        hashes: [sha],
        description: 'later',
        properties: { two: '2' },
      }),
    ]);
    expect(others).to.deep.equal([]);
    expect(merged).to.deep.include({
      locations: [
        { path: 'a/x', layer: 0 },
        { path: 'else/x', layer: 2 },
      ],
      licences: ['MIT', 'ISC'],
      dependsOn: ['b', 'c'],
      hashes: [sha],
      description: 'later',
      dependencies: 'unknown',
      properties: { one: '1', two: '2' },
    });
  });

  it('calls a component required that is so in one of its places', () => {
    const [merged] = mergeComponents([component('a', { scope: 'excluded' }), component('a')]);
    expect(merged?.scope).to.equal('required');
    const [development] = mergeComponents([
      component('a', { scope: 'excluded' }),
      component('a', { scope: 'excluded' }),
    ]);
    expect(development?.scope).to.equal('excluded');
  });

  it('orders by ref', () => {
    expect(mergeComponents([component('b'), component('a')]).map(({ ref }) => ref)).to.deep.equal(['a', 'b']);
  });
});

describe('dependency graph', () => {
  it('hangs the system, what nobody needs, and one of each circle on the image', () => {
    const components = [
      component('a', { dependsOn: ['b'] }),
      component('b'),
      component('c', { dependsOn: ['d'] }),
      component('d', { dependsOn: ['c'] }),
      component('os', { type: 'operating-system' }),
      component('self', { dependsOn: ['self'] }),
    ];
    expect(findTopLevel(components)).to.deep.equal(['a', 'os', 'self', 'c']);
  });

  it('drops edges to what the image does not hold, to itself and twice', () => {
    const [a] = dropDanglingEdges([component('a', { dependsOn: ['b', 'absent', 'a', 'b'] }), component('b')]);
    expect(a?.dependsOn).to.deep.equal(['b']);
  });
});
