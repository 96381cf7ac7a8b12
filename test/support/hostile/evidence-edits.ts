import type { RegistryContent } from './hostile-store.ts';
import type { EvidenceHoard, Piece } from './evidence-pieces.ts';

/** One change, by numbers that a generator makes up: what, where, and with what. */
export interface Edit {
  readonly what: number;
  readonly target: number;
  readonly at: number;
  readonly from: number;
}

type TextEdit = (text: string, edit: Edit) => string;
type PieceEdit = (piece: Piece, edit: Edit, hoard: EvidenceHoard) => readonly Piece[];

const text = (bytes: Buffer): string => bytes.toString('utf8');

/** Ways to spoil a JSON text, or any other. */
const textEdits: readonly TextEdit[] = [
  (one, { at, from }) => flipBit(one, at, from),
  (one, { at }) => one.slice(0, at % (one.length + 1)),
  (one, { at, from }) => one.slice(0, at % (one.length + 1)) + one.slice(from % (one.length + 1)),
  (one, { at, from }) => doubleMember(one, at, ['null', '""', '{}', '[]', '0', '"AA=="'][from % 6] ?? 'null'),
  (one, { at, from }) => insert(one, at, '['.repeat(1 + (from % 50_000))),
  (one, { at, from }) =>
    insert(one, at, `"deep":${'{"a":'.repeat(from % 20_000)}1${'}'.repeat(from % 20_000)},`),
  (one, { at, from }) => insert(one, at, `"large":"${'A'.repeat(from % 400_000)}",`),
  (one, { at, from }) =>
    insert(one, at, ['\u0000', '\ud800', '\u202e', '__proto__', '1e999', '\\u0000'][from % 6] ?? ''),
  (one, { at, from }) =>
    replaceNumber(one, at, ['-1', '0', '1e400', '9007199254740993', '"1"', 'null'][from % 6] ?? ''),
  (one, { at, from }) => replaceHex(one, at, from),
  (one) => one + one,
  () => '',
];

/** Ways to change one piece. Those that need a donor take it from somebody else's evidence. */
const pieceEdits: readonly PieceEdit[] = [
  ...textEdits.map((change): PieceEdit => (piece, edit) => [
    { ...piece, content: Buffer.from(change(text(piece.content), edit)) },
  ]),
  (piece, { at, from }) => [{ ...piece, content: flipBitOf(piece.content, at, from) }],
  ...textEdits.map((change): PieceEdit => (piece, edit) => [editAnnotation(piece, edit, change)]),
  (piece, edit) => [
    inPayload(piece, (payload) => (textEdits[edit.from % textEdits.length] ?? identity)(payload, edit)),
  ],
  (piece, edit) => [
    inPayload(piece, (payload) => payload.replace(/[0-9a-f]{64}/, edit.at.toString(16).padStart(64, '0'))),
  ],
  (piece, edit, hoard) => [swapPart(piece, donorFor(piece, edit, hoard), edit)],
  (piece, edit, hoard) => [swapAnnotation(piece, donorFor(piece, edit, hoard), edit)],
  (piece, edit, hoard) => [donorFor(piece, edit, hoard)],
  (piece, edit, hoard) => [{ ...donorFor(piece, edit, hoard), kind: piece.kind }],
  (piece, edit, hoard) => [{ ...piece, content: donorFor(piece, edit, hoard).content }],
  (piece, edit, hoard) => [{ ...piece, annotations: donorFor(piece, edit, hoard).annotations }],
  (piece) => [{ ...piece, mediaType: 'application/vnd.dsse.envelope.v1+json' }],
  (piece) => [{ ...piece, mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json' }],
  (piece) => [{ ...piece, mediaType: 'application/vnd.dev.sigstore.bundle.v0.1+json' }],
  (piece) => [{ ...piece, kind: piece.kind === 'signature' ? 'sbom' : 'signature' }],
  () => [],
];

/** Ways to change what the registry holds around the pieces. */
const contentEdits: readonly ((content: RegistryContent, edit: Edit) => void)[] = [
  (content, edit) => {
    editManifest(content, edit, (bytes) => flipBitOf(bytes, edit.at, edit.from));
  },
  ...textEdits.map((change) => (content: RegistryContent, edit: Edit): void => {
    editManifest(content, edit, (bytes) => Buffer.from(change(text(bytes), edit)));
  }),
  (content, { at, from }) => {
    const keys = [...content.blobs.keys()];
    const [one, other] = [keys[at % keys.length], keys[from % keys.length]];
    const bytes = content.blobs.get(other ?? '');
    if (one !== undefined && bytes !== undefined) content.blobs.set(one, bytes);
  },
  (content, { at }) => {
    const keys = [...content.blobs.keys()];
    content.blobs.delete(keys[at % keys.length] ?? '');
  },
  (content, { at }) => {
    const [one] = content.referrers.splice(at % (content.referrers.length + 1), 1);
    if (one !== undefined)
      content.referrers.push({ ...one, mediaType: 'application/vnd.oci.image.index.v1+json' });
  },
  (content, { from }) => {
    const [first] = content.referrers;
    if (first !== undefined)
      for (let copies = from % 200; copies > 0; copies -= 1) content.referrers.push(first);
  },
];

/** Changes one piece of several; what comes back may be more, fewer, or the same. */
export function editPieces(pieces: readonly Piece[], edit: Edit, hoard: EvidenceHoard): readonly Piece[] {
  const at = edit.target % Math.max(1, pieces.length);
  return pieces.flatMap((piece, index) =>
    index === at ? (pieceEdits[edit.what % pieceEdits.length] ?? same)(piece, edit, hoard) : [piece],
  );
}

/** Changes manifests, blobs or the list of referrers. */
export function editContent(content: RegistryContent, edit: Edit): void {
  contentEdits[edit.what % contentEdits.length]?.(content, edit);
}

/** Spoils a JSON text as it spoils evidence. */
export function editText(one: string, edit: Edit): string {
  return (textEdits[edit.what % textEdits.length] ?? identity)(one, edit);
}

const identity = (one: string): string => one;
const same: PieceEdit = (piece) => [piece];

function flipBit(one: string, at: number, bit: number): string {
  return text(flipBitOf(Buffer.from(one), at, bit));
}

function flipBitOf(bytes: Buffer, at: number, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  if (flipped.length > 0)
    flipped.writeUInt8((flipped[at % flipped.length] ?? 0) ^ (1 << (bit % 8)), at % flipped.length);
  return flipped;
}

function insert(one: string, at: number, added: string): string {
  // Where a member may stand, so that the text stays JSON more often than not.
  const places = [...one.matchAll(/[{,[]/g)].map(({ index }) => index + 1);
  const place = places[at % Math.max(1, places.length)] ?? 0;
  return one.slice(0, place) + added + one.slice(place);
}

function doubleMember(one: string, at: number, value: string): string {
  const members = [...one.matchAll(/"[a-z_][\w-]*":/gi)];
  const member = members[at % Math.max(1, members.length)];
  if (member === undefined) return one;
  return `${one.slice(0, member.index)}${member[0]}${value},${one.slice(member.index)}`;
}

function replaceNumber(one: string, at: number, value: string): string {
  const numbers = [...one.matchAll(/(?<=[:,[])"?\d+"?(?=[,}\]])/g)];
  const found = numbers[at % Math.max(1, numbers.length)];
  return found === undefined
    ? one
    : one.slice(0, found.index) + value + one.slice(found.index + found[0].length);
}

function replaceHex(one: string, at: number, value: number): string {
  const digests = [...one.matchAll(/[0-9a-f]{64}/g)];
  const found = digests[at % Math.max(1, digests.length)];
  return found === undefined
    ? one
    : one.slice(0, found.index) + value.toString(16).padStart(64, '0') + one.slice(found.index + 64);
}

function editAnnotation(piece: Piece, edit: Edit, change: TextEdit): Piece {
  const keys = Object.keys(piece.annotations);
  const key = keys[edit.target % Math.max(1, keys.length)];
  if (key === undefined) return piece;
  const value = change(piece.annotations[key] ?? '', edit);
  return { ...piece, annotations: { ...piece.annotations, [key]: value } };
}

/** The payload changed, its signature left as it is. */
function inPayload(piece: Piece, change: (payload: string) => string): Piece {
  const replaced = text(piece.content).replace(/("payload":")([^"]+)"/, (_, name: string, base64: string) => {
    const payload = change(Buffer.from(base64, 'base64').toString('utf8'));
    return `${name}${Buffer.from(payload).toString('base64')}"`;
  });
  return { ...piece, content: Buffer.from(replaced) };
}

function donorFor({ kind, layout }: Piece, { from, at }: Edit, { foreign, genuine }: EvidenceHoard): Piece {
  const sets = [...foreign, genuine];
  const donors = sets[from % sets.length] ?? genuine;
  const alike = donors.filter((donor) => donor.layout === layout && (at % 2 === 0 || donor.kind === kind));
  const [first] = donors;
  const donor = alike[at % Math.max(1, alike.length)] ?? first;
  if (donor === undefined) throw new Error('the hoard is empty');
  return donor;
}

/** A member of the JSON taken from another piece: certificate, log entry, payload, signature. */
function swapPart(piece: Piece, donor: Piece, { at }: Edit): Piece {
  const [mine, theirs] = [parseTree(piece.content), parseTree(donor.content)];
  const paths = [
    'dsseEnvelope',
    'verificationMaterial',
    'payload',
    'signatures',
    'payloadType',
    ...partPaths,
  ];
  const path = (paths[at % paths.length] ?? '').split('.');
  const last = path.pop() ?? '';
  const [to, source] = [reach(mine, path), reach(theirs, path)];
  if (to === undefined || source === undefined || !(last in source)) return piece;
  to[last] = source[last];
  const spliced = serialise(mine);
  return spliced === undefined ? piece : { ...piece, content: spliced };
}

const partPaths = [
  'dsseEnvelope.payload',
  'dsseEnvelope.signatures',
  'dsseEnvelope.payloadType',
  'verificationMaterial.certificate',
  'verificationMaterial.tlogEntries',
  'verificationMaterial.tlogEntries.0.inclusionProof',
  'verificationMaterial.tlogEntries.0.inclusionPromise',
  'verificationMaterial.tlogEntries.0.canonicalizedBody',
  'verificationMaterial.tlogEntries.0.logId',
  'verificationMaterial.tlogEntries.0.logIndex',
  'verificationMaterial.tlogEntries.0.integratedTime',
];

type Tree = Record<string, unknown>;

function parseTree(bytes: Buffer): Tree {
  try {
    return JSON.parse(text(bytes)) as Tree;
  } catch {
    return {};
  }
}

/** Undefined for a tree too deep for JSON.stringify, which recurses. */
function serialise(tree: Tree): Buffer | undefined {
  try {
    return Buffer.from(JSON.stringify(tree));
  } catch {
    return undefined;
  }
}

function reach(tree: Tree, path: readonly string[]): Tree | undefined {
  let at: unknown = tree;
  for (const name of path) at = (at as Tree | undefined)?.[name];
  return typeof at === 'object' && at !== null ? (at as Tree) : undefined;
}

function swapAnnotation(piece: Piece, donor: Piece, { at }: Edit): Piece {
  const keys = Object.keys(donor.annotations);
  const key = keys[at % Math.max(1, keys.length)];
  const value = donor.annotations[key ?? ''];
  if (key === undefined || value === undefined) return piece;
  return { ...piece, annotations: { ...piece.annotations, [key]: value } };
}

function editManifest(
  { manifests }: RegistryContent,
  { target }: Edit,
  change: (bytes: Buffer) => Buffer,
): void {
  const keys = [...manifests.keys()];
  const key = keys[target % Math.max(1, keys.length)];
  const bytes = manifests.get(key ?? '');
  if (key !== undefined && bytes !== undefined) manifests.set(key, change(bytes));
}
