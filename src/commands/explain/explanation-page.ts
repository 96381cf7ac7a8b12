import type { ImageJudgement, PolicyResult } from '../../policy/judgement.ts';
import { describeReason } from '../../policy/explanation.ts';
import { markup } from '../html/markup.ts';
import type { Markup } from '../html/markup.ts';
import { renderPage } from '../html/page.ts';
import { bullets, code, facts, moment, table, tag } from '../html/parts.ts';
import type { Tone } from '../html/parts.ts';
import type { BuildSummary } from './build-summary.ts';
import type {
  Attested,
  ExplainedEntry,
  ExplainedPiece,
  ImageExplanation,
  Standing,
} from './explanation-report.ts';
import { shortImage } from '../policy/impact/impact-text.ts';
import { countsInWords, signerInWords } from './explanation-text.ts';
import type { Count, SbomSummary } from './sbom-summary.ts';

const standings: Readonly<Record<Standing, readonly [Tone, string]>> = {
  accepted: ['good', 'accepted'],
  verified: ['plain', 'verified'],
  rejected: ['bad', 'not believed'],
};

/** An explanation as a page for an auditor. */
export function renderExplanation(explanation: ImageExplanation): string {
  const { image, pinned, at, judgement, builds, sboms, evidence, obstacles } = explanation;
  const believed = evidence.filter(({ standing }) => standing !== 'rejected');
  const rejected = evidence.filter(({ standing }) => standing === 'rejected');
  return renderPage({
    title: `What is known of ${shortImage(image)}`,
    subtitle: markup`${code(pinned)}, as of ${moment(at)}`,
    at: new Date(at),
    body: [
      judgement === undefined ? withoutPolicy() : verdictOf(judgement, explanation),
      markup`<section class="card" id="build"><h2>Build</h2>${attestedParts(builds, buildFacts, 'provenance')}</section>`,
      markup`<section class="card" id="sbom"><h2>Software bill of materials</h2>${attestedParts(sboms, sbomFacts, 'SBOM')}</section>`,
      markup`<section id="evidence"><h2>Evidence that verifies</h2>${evidenceTable(believed)}</section>`,
      markup`<section id="rejected"><h2>Not believed</h2>${rejectedTable(rejected)}${bullets(obstacles)}</section>`,
      ...(judgement === undefined ? [] : [policiesOf(judgement)]),
      legend(),
    ],
  });
}

function withoutPolicy(): Markup {
  return markup`<section class="verdict" id="verdict"><h2>No policy was asked</h2><p>Give policies with --policy or --cluster to see
what they say. What verifies below shows who signed, not that they may.</p></section>`;
}

function verdictOf(
  { outcome, policies, reasons, nextStep }: ImageJudgement,
  { exceptions }: ImageExplanation,
): Markup {
  const tones = { admitted: 'good', warned: 'warn', denied: 'bad' } as const;
  const titles = { admitted: 'Admitted', warned: 'Admitted with a warning', denied: 'Denied' } as const;
  const lines = [
    ...reasons.map(({ message }) => markup`${message}`),
    ...policies.map(
      ({ policy, passed }) => markup`Policy <strong>${policy}</strong>: ${passed ? 'met' : 'not met'}`,
    ),
    ...exceptions.map(
      ({ namespace, name, approvedBy, reason, expiresAt }) =>
        markup`In namespace <strong>${namespace}</strong> exception <strong>${name}</strong> lets it in until ${moment(expiresAt)}, approved by ${approvedBy}: ${reason}`,
    ),
    ...(nextStep === undefined ? [] : [markup`<strong>Next:</strong> ${nextStep}`]),
  ];
  return markup`<section class="verdict ${tones[outcome]}" id="verdict"><h2>${titles[outcome]}</h2>${bullets(lines)}</section>`;
}

function attestedParts<Value>(
  attested: readonly Attested<Value>[],
  factsOf: (value: Value) => Markup,
  what: string,
): Markup {
  if (attested.length === 0) return markup`<p>No ${what} that verifies was found.</p>`;
  return markup`${attested.map((one) => {
    const standing =
      one.standing === 'accepted' ? tag('good', 'accepted') : tag('warn', 'signer not taken by a policy');
    return markup`<div class="said"><p>${standing} Said by ${one.signer}</p>${factsOf(one.value)}</div>`;
  })}`;
}

function buildFacts(build: BuildSummary): Markup {
  const { run, builderId, buildType, startedAt, finishedAt, definition, sources, predicateType } = build;
  return facts([
    ['Run', run],
    ['Builder', builderId],
    ['Build type', buildType],
    ['Started', startedAt === '' ? undefined : moment(startedAt)],
    ['Finished', finishedAt === '' ? undefined : moment(finishedAt)],
    ['Defined by', definition],
    [
      'Made from',
      sources.length === 0
        ? undefined
        : bullets(sources.map(({ uri, digest }) => markup`${uri} ${code(digest)}`)),
    ],
    ['Statement', code(predicateType)],
  ]);
}

function sbomFacts({
  format,
  tool,
  madeAt,
  components,
  types,
  licences,
  withoutLicence,
}: SbomSummary): Markup {
  return markup`${facts([
    ['Format', format],
    ['Made by', tool],
    ['As of', madeAt === '' ? undefined : moment(madeAt)],
    ['Components', components],
    ['Kinds', countsInWords(types)],
    ['Without licence', withoutLicence],
  ])}${licences.length === 0 ? markup`` : countTable('The most frequent licences', licences)}`;
}

function countTable(caption: string, counts: readonly Count[]): Markup {
  return table(caption, [{ title: 'Licence' }, { title: 'Components', isNumber: true }], counts);
}

function evidenceTable(pieces: readonly ExplainedPiece[]): Markup {
  if (pieces.length === 0) return markup`<p>None.</p>`;
  return table(
    'Each piece with who signed it, checked against the trust root',
    ['What', 'Standing', 'Signed by', 'Transparency log', 'Where'].map((title) => ({ title })),
    pieces.map((piece) => [
      piece.kind === 'attestation'
        ? markup`Attestation ${code(piece.predicateType ?? '')}`
        : 'Image signature',
      tag(...standings[piece.standing]),
      signerInWords(piece),
      logOf(piece),
      markup`${shortTag(piece.place)}<br>${code(shortRef(piece.ref))}`,
    ]),
  );
}

function logOf({ entries }: ExplainedPiece): Markup {
  return entries.length === 0 ? markup`none` : markup`${entries.map(entryOf)}`;
}

function entryOf({ log, logIndex, integratedAt, offline, treeSize, online }: ExplainedEntry): Markup {
  const proof =
    offline === 'proven'
      ? markup`${tag('good', 'inclusion proven')} in a tree of ${treeSize ?? 0} entries`
      : markup`${tag('plain', 'inclusion promised')} by the log’s signature`;
  const asked =
    online === undefined
      ? markup``
      : markup`<br>${online.isIncluded ? tag('good', 'asked') : tag('bad', 'not confirmed')} ${online.message}`;
  const when = integratedAt === undefined ? markup`` : markup`, ${moment(integratedAt)}`;
  return markup`<p>index ${logIndex}${when}<br>${proof}${asked}<br><span class="soft">${log ?? 'a log without address'}</span></p>`;
}

function rejectedTable(pieces: readonly ExplainedPiece[]): Markup {
  if (pieces.length === 0) return markup`<p>Nothing: every piece beside the image verifies.</p>`;
  return table(
    'Anybody who can push may have put these here; what they say is left out',
    ['Where', 'Piece', 'Why not'].map((title) => ({ title })),
    pieces.map(({ place, ref, reason }) => [
      shortTag(place),
      code(shortRef(ref)),
      markup`${reason?.message} <span class="soft">${reason?.code}</span>`,
    ]),
  );
}

function policiesOf({ policies }: ImageJudgement): Markup {
  return markup`<section id="policies"><h2>Policies, check by check</h2>${
    policies.length === 0 ? markup`<p>No policy is about this image.</p>` : policies.map(policyOf)
  }</section>`;
}

function policyOf({ policy, mode, evaluation, passed, authorities, reasons }: PolicyResult): Markup {
  const rows = authorities.flatMap(({ authority, checks }) =>
    checks.map((check) => [
      `${authority}: ${check.check}`,
      tag(check.outcome === 'passed' ? 'good' : 'bad', check.outcome),
      check.outcome === 'passed'
        ? bullets(check.evidence.map(({ ref }) => code(shortRef(ref))))
        : bullets(
            check.reasons.map(
              (reason) => markup`${describeReason(reason)} <span class="soft">${reason.code}</span>`,
            ),
          ),
    ]),
  );
  return markup`<h3>${policy} ${tag(passed ? 'good' : mode === 'warn' ? 'warn' : 'bad', passed ? 'met' : 'not met')}</h3>
<p class="soft">mode ${mode}, ${evaluation}</p>${bullets(reasons.map(describeReason))}${table(
    `What ${policy} asks for`,
    ['Check', 'Outcome', 'Evidence or reason'].map((title) => ({ title })),
    rows,
  )}`;
}

function legend(): Markup {
  return markup`<section class="card"><h2>How to read this</h2>${facts([
    [
      tag('good', 'accepted'),
      'Signature, certificate, log entry or timestamp and digest were verified, and a policy takes the signer.',
    ],
    [
      tag('plain', 'verified'),
      'The same, but no policy given here asked for it or takes its signer: it shows who signed, not that they may.',
    ],
    [
      tag('bad', 'not believed'),
      'It did not verify. What it says is not shown as a fact anywhere on this page.',
    ],
  ])}</section>`;
}

/** A reference without the middle of its digest. */
function shortRef(ref: string): string {
  return ref.replace(/^.*@(sha256:[0-9a-f]{16})[0-9a-f]{48}$/, '$1…');
}

/** The same of a tag that evidence lies behind. */
function shortTag(place: string): string {
  return place.replace(/sha256-([0-9a-f]{12})[0-9a-f]{52}/, 'sha256-$1…');
}
