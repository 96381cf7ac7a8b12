import { stringify } from 'yaml';
import { formatTable } from '../wiring/table.ts';
import type { PrintedEntry } from './printed-entry.ts';

/** Found entries as a table. */
export function formatFound(entries: readonly PrintedEntry[]): string {
  if (entries.length === 0) return 'no entries found\n';
  const rows = entries.map(({ logIndex, integratedTime, kind, signer, uuid }) => [
    String(logIndex),
    integratedTime,
    kind,
    signer?.subject ?? (signer === undefined ? '' : `key ${signer.keyFingerprint.slice(0, 16)}`),
    uuid,
  ]);
  return `${formatTable(['LOG INDEX', 'TIME', 'KIND', 'SIGNER', 'UUID'], rows)}\n`;
}

/** One entry for people: what a table cannot hold reads best as YAML. */
export function formatEntry(entry: PrintedEntry): string {
  return stringify(entry, { aliasDuplicateObjects: false, lineWidth: 0 });
}
