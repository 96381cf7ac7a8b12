import type { TransparencyLogEntry } from '@sigstore/protobuf-specs';
import { callLog, refusal } from './log-http.ts';
import type { LogHttpOptions } from './log-http.ts';
import { encodeProposal, parseFoundEntries } from './rekor-v1-entry.ts';
import type { LogProposal } from './transparency-log.ts';

// An entry that holds an attestation brings at most the 100 KiB of it that Rekor keeps.
const maxAnswerBytes = 8 * 1024 * 1024;

/**
 * The entries that a Rekor v1 has for what was proposed, as `cosign` looks for them: for an envelope those of kind `dsse`
 * and `intoto` 0.0.1. None if the log has none. Nothing of them is verified. Errors: ERR_LOG_UNREACHABLE,
 * ERR_LOG_UNAVAILABLE, ERR_LOG_REFUSED, ERR_LOG_ANSWER.
 */
export async function searchRekorV1(
  options: LogHttpOptions,
  proposal: LogProposal,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly TransparencyLogEntry[]> {
  const proposed =
    proposal.kind === 'dsse'
      ? [encodeProposal(proposal), encodeIntoto(proposal)]
      : [encodeProposal(proposal)];
  const answer = await callLog(options, {
    method: 'POST',
    path: 'api/v1/log/entries/retrieve',
    body: `{"entries":[${proposed.join(',')}]}`,
    maxBytes: maxAnswerBytes,
    signal,
  });
  if (answer.status !== 200) throw refusal(answer, options.clock);
  return parseFoundEntries(answer.body, answer.address);
}

function encodeIntoto({ envelope, verifierPem }: Extract<LogProposal, { kind: 'dsse' }>): string {
  const publicKey = Buffer.from(verifierPem).toString('base64');
  return JSON.stringify({
    apiVersion: '0.0.1',
    kind: 'intoto',
    spec: { content: { envelope }, publicKey },
  });
}
