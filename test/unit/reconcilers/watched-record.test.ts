import { expect } from 'chai';
import { toKeptRecord, toWatchedRecord } from '../../../src/reconcilers/watched-record.ts';

const created = '2026-01-01T00:00:00Z';
const written = '2026-01-09T00:00:00Z';
const gone = '2026-02-01T00:00:00.000Z';

function keptOf(metadata: object): object {
  const base = {
    name: 'uid-1',
    namespace: 'team',
    uid: 'r',
    resourceVersion: '7',
    creationTimestamp: created,
  };
  const object = { apiVersion: 'chainwright.dev/v1alpha1', kind: 'SigningRecord' };
  const spec = { phase: 'Complete', run: { kind: 'TaskRun', name: 'build' } };
  return toKeptRecord(toWatchedRecord({ ...object, metadata: { ...base, ...metadata }, spec }));
}

describe('a SigningRecord as it is watched', () => {
  const identity = { namespace: 'team', name: 'uid-1', uid: 'r', resourceVersion: '7' };
  const createdMs = Date.parse(created);

  it('tells when it was last written, which noting that its run is gone is not', () => {
    const managedFields = [
      { manager: 'chainwright', operation: 'Update', time: written },
      { manager: 'chainwright-retention', operation: 'Update', time: gone },
      { manager: 'odd', time: 'never' },
    ];
    const annotations = { 'chainwright.dev/run-gone': gone };
    expect(keptOf({ managedFields, annotations })).to.deep.equal({
      ...identity,
      createdMs,
      writtenMs: Date.parse(written),
      goneMs: Date.parse(gone),
    });
  });

  it('was written when it was created, and its run is not known to be gone, where nothing tells', () => {
    const expected = { ...identity, createdMs, writtenMs: createdMs };
    expect(keptOf({})).to.deep.equal(expected);
    const annotations = { 'chainwright.dev/run-gone': 'yesterday' };
    expect(keptOf({ managedFields: 'none', annotations })).to.deep.equal(expected);
  });
});
