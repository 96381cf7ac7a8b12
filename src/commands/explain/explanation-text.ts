import { explainFully, harmlessText } from '../../policy/explanation.ts';
import type { Count } from './sbom-summary.ts';
import type { Attested, ExplainedEntry, ExplainedPiece, ImageExplanation } from './explanation-report.ts';

/** An explanation for a terminal. */
export function formatExplanation(explanation: ImageExplanation): string {
  const { image, pinned, builds, sboms, evidence, judgement, exceptions, obstacles } = explanation;
  const rejected = evidence.filter(({ standing }) => standing === 'rejected');
  const lines = [
    image,
    ...(image === pinned ? [] : [`  is ${pinned}`]),
    '',
    'BUILD',
    ...section(builds, ({ value }) => [
      ['run', value.run],
      ['builder', value.builderId],
      ['type', value.buildType],
      ['time', [value.startedAt, value.finishedAt].filter((time) => time !== '').join(' to ')],
      ['definition', value.definition],
      ...value.sources.slice(0, 5).map(({ uri, digest }) => ['from', `${uri} ${digest}`] as const),
    ]),
    '',
    'SBOM',
    ...section(sboms, ({ value }) => [
      ['format', `${value.format}, ${value.components} components`],
      ['made by', value.tool],
      ['types', countsInWords(value.types)],
      ['licences', `${countsInWords(value.licences)}; ${value.withoutLicence} without`],
    ]),
    '',
    'EVIDENCE',
    ...evidence.filter(({ standing }) => standing !== 'rejected').flatMap(pieceLines),
    ...(evidence.length === rejected.length ? ['  none that verifies'] : []),
    ...(rejected.length === 0 ? [] : ['', 'NOT BELIEVED', ...rejected.flatMap(pieceLines)]),
    ...obstacles.map((obstacle) => `  could not be read: ${obstacle}`),
    ...(judgement === undefined ? [] : ['', 'POLICIES']),
  ].map(harmlessText);
  const policies = judgement === undefined ? [] : [explainFully(judgement)];
  const excused = exceptions.map(({ namespace, name, expiresAt, approvedBy, reason }) =>
    harmlessText(`  exception ${namespace}/${name} until ${expiresAt}, approved by ${approvedBy}: ${reason}`),
  );
  return `${[...lines, ...policies, ...excused].join('\n')}\n`;
}

/** Who signed, in words. */
export function signerInWords({ signer }: Pick<ExplainedPiece, 'signer'>): string {
  if (signer === undefined) return '';
  return 'subject' in signer ? `${signer.subject} by ${signer.issuer}` : `key ${signer.keyFingerprint}`;
}

/** How a log entry was checked, in words. */
function entryInWords({ logIndex, offline, treeSize, integratedAt, online }: ExplainedEntry): string {
  const inclusion =
    offline === 'proven' ? `inclusion proven in a tree of ${treeSize ?? 0}` : 'inclusion promised by the log';
  const when = integratedAt === undefined ? '' : `, ${integratedAt}`;
  const asked =
    online === undefined ? '' : `; ${online.isIncluded ? 'asked' : 'NOT CONFIRMED'}: ${online.message}`;
  return `log index ${logIndex}${when}, ${inclusion}${asked}`;
}

/** `deb 12, npm 4`. */
export function countsInWords(counts: readonly Count[]): string {
  return counts.map(([name, count]) => `${name} ${count}`).join(', ');
}

/** What a reader has to know about who says something. */
function standingInWords({ standing }: Pick<Attested<unknown>, 'standing'>): string {
  return standing === 'accepted'
    ? 'a policy takes this signer'
    : 'verified, but no policy given here takes this signer';
}

function section<Value>(
  attested: readonly Attested<Value>[],
  factsOf: (one: Attested<Value>) => readonly (readonly [name: string, value: string])[],
): readonly string[] {
  if (attested.length === 0) return ['  no verified attestation tells'];
  return attested.flatMap((one) => [
    ...factsOf(one)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => `  ${name.padEnd(11)}${value}`),
    `  ${'says'.padEnd(11)}${one.signer} (${standingInWords(one)})`,
  ]);
}

function pieceLines(piece: ExplainedPiece): readonly string[] {
  const { standing, kind, predicateType, place, ref, entries, reason } = piece;
  if (standing === 'rejected')
    return [`  ${place} [${ref}]`, `    ${reason?.code ?? ''}: ${reason?.message ?? ''}`];
  return [
    `  ${standing.padEnd(9)}${kind ?? ''} ${predicateType ?? ''}`.trimEnd(),
    `    ${signerInWords(piece)}`,
    ...entries.map((entry) => `    ${entryInWords(entry)}`),
    `    ${place} [${ref}]`,
  ];
}
