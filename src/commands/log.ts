import { Command } from 'commander';
import PQueue from 'p-queue';
import { loadTrustRoot } from '../signing/trust-root.ts';
import type { RekorV1Client } from '../transparency/rekor-v1-client.ts';
import type { ImageStore } from '../registry/image-store.ts';
import type { CommandContext } from './command-context.ts';
import { usageFault } from './policy/usage-fault.ts';
import { findImageEntries, findImagePayload } from './log/image-entries.ts';
import { toPrintedEntry } from './log/printed-entry.ts';
import type { PrintedEntry } from './log/printed-entry.ts';
import { formatEntry, formatFound } from './log/entry-text.ts';
import { hostTrustOf } from './wiring/attestation.ts';
import { Dispatchers } from './wiring/dispatchers.ts';
import { formatOutput, outputOption } from './wiring/output-format.ts';
import type { OutputFormat } from './wiring/output-format.ts';
import { trustedFilesOf } from './wiring/process-log.ts';
import { readSettings } from './wiring/settings.ts';
import { openTrustRoot } from './wiring/trust.ts';
import { openUserLog } from './wiring/user-log.ts';
import { parseUserImage } from './wiring/image-argument.ts';
import { openUserRegistries, pinImage } from './wiring/user-images.ts';

const readsAtOnce = 8;

interface LogFlags {
  readonly rekorUrl?: string;
  readonly trustedRoot?: string;
  readonly config?: string;
  readonly output: OutputFormat;
}

interface SearchFlags extends LogFlags {
  readonly sha?: string;
  readonly email?: string;
  readonly identity?: string;
  readonly limit: string;
}

interface GetFlags extends LogFlags {
  readonly logIndex?: string;
  readonly uuid?: string;
  readonly image?: string;
}

/** `chainwright log`. */
export function logCommand(context: CommandContext): Command {
  return new Command('log')
    .description('find and read entries of the transparency log, each verified before it is printed')
    .addCommand(searchCommand(context).exitOverride())
    .addCommand(getCommand(context).exitOverride());
}

function searchCommand(context: CommandContext): Command {
  const command = new Command('search')
    .description('list the entries about a digest, an image, or of a signer')
    .argument('[image]', 'find all entries of this image: its statements’, and its signatures’')
    .option('--sha <digest|image>', 'entries that the log has under this digest, as rekor-cli search --sha')
    .option('--email <name>', 'entries of certificates of this e-mail address or URI')
    .option('--identity <name>', 'the same')
    .option('--limit <count>', 'how many entries are read and printed at most', '1000');
  return withLogOptions(command)
    .addHelpText(
      'after',
      `
The log's index is not proven: what it leaves out is not noticed; what it names is read and verified.

Examples:
  chainwright log search harbor.golems.internal/golem-trust/example-service@sha256:HEX
  chainwright log search --sha sha256:HEX
  chainwright log search --identity https://kubernetes.golems.internal/namespaces/tekton-chains/serviceaccounts/NAME`,
    )
    .action(async (image: string | undefined, flags: SearchFlags) => {
      await runSearch(image, flags, context);
    });
}

function getCommand(context: CommandContext): Command {
  const command = new Command('get')
    .description(
      'read one entry: certificate, signed hashes, inclusion proof, and the payload from the registry',
    )
    .option('--log-index <index>', 'its index in the log')
    .option('--uuid <uuid>', 'its UUID')
    .option('--image <image>', 'image that the entry is about: its payload is fetched and checked');
  return withLogOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  chainwright log get --log-index 4711
  chainwright log get --log-index 4711 --image harbor.golems.internal/golem-trust/example-service@sha256:HEX -o json`,
    )
    .action(async (flags: GetFlags) => {
      await runGet(flags, context);
    });
}

function withLogOptions(command: Command): Command {
  return command
    .option('--rekor-url <url>', 'address of the log')
    .option('--trusted-root <file>', 'trusted_root.json of the Sigstore instance in use')
    .option('--config <file>', 'file with a ChainwrightConfig object')
    .addOption(outputOption());
}

interface LogParts extends AsyncDisposable {
  readonly log: RekorV1Client;
  readonly store: ImageStore;
}

async function openParts(flags: LogFlags, { environment, signal }: CommandContext): Promise<LogParts> {
  const { settings } = await readSettings({
    configFile: flags.config,
    flags: { log: { url: flags.rekorUrl } },
    environment,
  });
  const trustRoot =
    flags.trustedRoot === undefined
      ? await openTrustRoot(settings, { signal })
      : await loadTrustRoot(flags.trustedRoot, { signal });
  const dispatchers = await Dispatchers.open({
    caFiles: trustedFilesOf(environment),
    hosts: hostTrustOf(settings),
  });
  return {
    log: openUserLog(settings, { dispatchers, trustRoot }),
    store: openUserRegistries(settings, { dispatchers, environment }),
    [Symbol.asyncDispose]: () => dispatchers[Symbol.asyncDispose](),
  };
}

async function runSearch(
  image: string | undefined,
  flags: SearchFlags,
  context: CommandContext,
): Promise<void> {
  const { signal } = context;
  const asked = [image, flags.sha, flags.email, flags.identity].filter((value) => value !== undefined);
  if (asked.length !== 1) throw usageFault('one thing must be searched for', 'Give an image, or one flag.');
  await using parts = await openParts(flags, context);
  const uuids = await search(image, flags, { parts, signal });
  const limit = countOf(flags.limit);
  const entries = await readEntries(uuids.slice(0, limit), parts.log, signal);
  if (uuids.length > limit) {
    process.stderr.write(`WARNING: the log names ${uuids.length} entries; ${limit} were read (--limit)\n`);
  }
  process.stdout.write(formatOutput(entries, flags.output, () => formatFound(entries)));
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw usageFault(`"${text.slice(0, 80)}" is no count`, 'Write a whole number in --limit.');
}

/** Read and verified some at a time, in the order of the log. */
async function readEntries(
  uuids: readonly string[],
  log: RekorV1Client,
  signal: AbortSignal,
): Promise<readonly PrintedEntry[]> {
  const queue = new PQueue({ concurrency: readsAtOnce });
  const reads = uuids.map((uuid) => async () => toPrintedEntry(await log.getEntry({ uuid }, { signal })));
  const entries = await queue.addAll(reads);
  return entries.sort((a, b) => a.logIndex - b.logIndex);
}

async function search(
  image: string | undefined,
  { sha, email, identity = email }: SearchFlags,
  { parts, signal }: { readonly parts: LogParts; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const { log, store } = parts;
  if (identity !== undefined) return log.search({ identity }, { signal });
  const digest = /^(?:sha256:)?([0-9a-f]{64})$/.exec(sha ?? '')?.[1];
  if (digest !== undefined) return log.search({ hash: `sha256:${digest}` }, { signal });
  // What cosign triangulate prints is a tag of the image's evidence; the image itself is meant.
  const pinned = await pinImage(imageOfEvidenceTag(image ?? sha ?? ''), store, signal);
  return findImageEntries(pinned, { log, store, signal });
}

function imageOfEvidenceTag(image: string): string {
  const { tag = '', repository } = parseUserImage(image);
  const hex = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/.exec(tag)?.[1];
  return hex === undefined ? image : `${repository.registry}/${repository.path}@sha256:${hex}`;
}

async function runGet(flags: GetFlags, context: CommandContext): Promise<void> {
  const { signal } = context;
  const name = nameOf(flags);
  await using parts = await openParts(flags, context);
  const entry = toPrintedEntry(await parts.log.getEntry(name, { signal }));
  const payload =
    flags.image === undefined
      ? undefined
      : await findImagePayload(await pinImage(flags.image, parts.store, signal), entry, {
          store: parts.store,
          signal,
        });
  const printed = payload === undefined ? entry : { ...entry, payload };
  process.stdout.write(formatOutput(printed, flags.output, () => formatEntry(printed)));
}

function nameOf({ logIndex, uuid }: GetFlags): { readonly logIndex: number } | { readonly uuid: string } {
  if ((logIndex === undefined) === (uuid === undefined)) {
    throw usageFault('either --log-index or --uuid is needed', 'Give the one that is known.');
  }
  if (uuid !== undefined && /^(?:[0-9a-f]{16})?[0-9a-f]{64}$/.test(uuid)) return { uuid };
  if (logIndex !== undefined && /^\d{1,15}$/.test(logIndex)) return { logIndex: Number(logIndex) };
  throw usageFault(
    `"${(uuid ?? logIndex ?? '').slice(0, 100)}" names no entry`,
    'Give a number, or 64 or 80 hex digits.',
  );
}
