import type { PinnedImage } from '../../model/image-reference.ts';
import { formatRepository } from '../../model/image-reference.ts';
import { parseUserImage } from '../wiring/image-argument.ts';
import { formatTable } from '../wiring/table.ts';
import type { AttachedEvidence } from './attached-signing.ts';

/** What was attached, as a table for people. */
export function formatAttached(attached: readonly AttachedEvidence[]): string {
  const rows = attached.flatMap(({ kind, refs, logEntries, isNew }) =>
    refs.map(({ layout, ref }) => [
      kind,
      layout,
      ref,
      logEntries.map(({ logIndex }) => logIndex).join(', '),
      isNew ? 'attached' : 'was there',
    ]),
  );
  return `${formatTable(['KIND', 'LAYOUT', 'REF', 'LOG INDEX', 'OUTCOME'], rows)}\n`;
}

/** cosign's warning about an image that is named by a tag; empty for one that is named by its digest. */
export function tagWarning(image: string, { repository, digest }: PinnedImage): string {
  if (parseUserImage(image).digest !== undefined) return '';
  return `WARNING: ${image} is a tag, which may mean another image tomorrow; signing ${formatRepository(repository)}@${digest}\n`;
}
