import { readFile, writeFile } from 'node:fs/promises';

const page = new URL('../../../docs/commands.md', import.meta.url);
const [begin, end] = ['<!-- runbook lines: begin -->', '<!-- runbook lines: end -->'];

/** A line of the runbook, ours for it, and what both were seen to do on the same objects. */
export interface RunbookRow {
  readonly line: string;
  readonly ours: string;
  readonly itsTool: string;
  readonly oursDoes: string;
}

const heads = ['line of the runbook', 'ours', 'what its tool does', 'what ours does'];

/** What was seen, a row for each line of the runbook, in its order; the tests beside this file are what saw it. */
const rows: readonly RunbookRow[] = [
  {
    line: '`cosign sign --identity-token … --oidc-issuer … IMAGE`',
    ours: '`chainwright sign --identity-token … --oidc-issuer … IMAGE`',
    itsTool: 'attaches one layout',
    oursDoes: 'attaches both; `cosign verify` accepts each; a second time nothing is added',
  },
  {
    line: '`cosign sign-blob --key k8s://tekton-chains/signing-secrets --output-signature F.sig F`',
    ours: '`chainwright sign-blob --key k8s://tekton-chains/signing-secrets --output-signature F.sig F`',
    itsTool: 'refuses without `--new-bundle-format=false --use-signing-config=false`',
    oursDoes: 'writes the signature and logs it; `cosign verify-blob` accepts it',
  },
  {
    line: '`cosign verify SIGNER IMAGE`',
    ours: '`chainwright verify --certificate-identity-regexp … --certificate-oidc-issuer … IMAGE`',
    itsTool: 'prints the subject, for tags also the log index',
    oursDoes: 'prints subject and log index of every layout',
  },
  {
    line: '`cosign verify-attestation --type slsaprovenance SIGNER IMAGE`',
    ours: '`chainwright verify-attestation --type slsaprovenance SIGNER IMAGE`',
    itsTool: 'prints the envelope',
    oursDoes: 'prints the same envelope',
  },
  {
    line: '`cosign verify-attestation --type cyclonedx SIGNER IMAGE`',
    ours: '`chainwright verify-attestation --type cyclonedx SIGNER IMAGE`',
    itsTool: 'prints the envelope',
    oursDoes: 'prints the same envelope',
  },
  {
    line: '`cosign triangulate IMAGE`',
    ours: '`chainwright triangulate IMAGE`',
    itsTool: 'prints the tag of the signatures',
    oursDoes: 'prints the same tag',
  },
  {
    line: '`rekor-cli search --sha $(cosign triangulate IMAGE)`',
    ours: '`chainwright log search --sha $(chainwright triangulate IMAGE)`, or `chainwright log search IMAGE`',
    itsTool: 'refuses it: a tag is no digest',
    oursDoes: 'finds every entry: the statements’, and the image signature’s',
  },
  {
    line: '`rekor-cli search --sha sha256:<digest>` (what was meant)',
    ours: '`chainwright log search --sha sha256:<digest>`',
    itsTool: 'finds the entries of statements about the image',
    oursDoes: 'finds the same entries, each verified',
  },
  {
    line: '`rekor-cli get --log-index <index>`',
    ours: '`chainwright log get --log-index <index> --image IMAGE`',
    itsTool: 'prints the entry: hashes, and no payload',
    oursDoes: 'prints certificate, inclusion proof and the payload, checked against the entry',
  },
];

/** The table in docs/commands.md; each row has a test that shows it. */
export class RunbookTable {
  readonly #covered = new Set<number>();

  /** Notes that a test shows what these rows say; a row's place counts from one. */
  cover(places: readonly number[]): void {
    for (const place of places) this.#covered.add(place);
  }

  /** The places of rows that no test shows. */
  uncovered(): readonly number[] {
    return rows.map((_, index) => index + 1).filter((place) => !this.#covered.has(place));
  }

  /** The table as the page must have it. */
  render(): string {
    const cells = rows.map(({ line, ours, itsTool, oursDoes }) => [line, ours, itsTool, oursDoes]);
    const widths = heads.map((head, column) =>
      Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)),
    );
    const lineOf = (row: readonly string[], fill = ' '): string =>
      `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
    const rule = lineOf(
      heads.map(() => '-'),
      '-',
    );
    return [lineOf(heads), rule, ...cells.map((row) => lineOf(row))].join('\n');
  }

  /** The table that the page has; with CHAINWRIGHT_WRITE_DOCS=1 this one is written there first. */
  async documented(): Promise<string> {
    const text = await readFile(page, 'utf8');
    const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
    if (process.env['CHAINWRIGHT_WRITE_DOCS'] !== '1') return text.slice(from, to).trim();
    await writeFile(page, `${text.slice(0, from)}\n\n${this.render()}\n\n${text.slice(to)}`);
    return this.render();
  }
}
