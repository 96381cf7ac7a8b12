import { X509Certificate } from 'node:crypto';
import type { Piece } from './evidence-pieces.ts';

/** A tree of JSON, believed as it stands. */
type Json = Readonly<Record<string, unknown>>;

/**
 * What of a piece is under the signer's or the log's signature, read leniently and without the product's own code: two
 * pieces with the same core say the same, by the same signer, witnessed by the same entry. A layer may be read as signed
 * bytes or as an envelope; a reading that gives nothing is left out.
 */
export function coresOf(piece: Piece): readonly string[] {
  const readings =
    piece.layout === 'bundle'
      ? [() => bundleCore(parse(piece.content))]
      : [
          () => layerCore(piece, bareCore),
          () => layerCore(piece, ({ content }) => envelopeCore(parse(content))),
        ];
  return readings.flatMap((read) => {
    try {
      return [JSON.stringify(read())];
    } catch {
      return [];
    }
  });
}

function layerCore(piece: Piece, signed: (piece: Piece) => object): object {
  const { annotations } = piece;
  const entry = parse(Buffer.from(annotations['dev.sigstore.cosign/bundle'] ?? ''));
  const payload = recordOf(entry['Payload']);
  return {
    ...signed(piece),
    certificate: bytesOfPem(annotations['dev.sigstore.cosign/certificate'] ?? ''),
    promise: bytesOf(entry['SignedEntryTimestamp']),
    body: bytesOf(payload['body']),
    time: String(payload['integratedTime']),
    index: String(payload['logIndex']),
    log: String(payload['logID']).toLowerCase(),
  };
}

function bareCore({ content, annotations }: Piece): object {
  const signature = bytesOf(annotations['dev.cosignproject.cosign/signature']);
  return { payload: content.toString('hex'), signature };
}

function envelopeCore(envelope: Json): object {
  const [signature] = envelope['signatures'] as readonly Json[];
  return {
    payload: bytesOf(envelope['payload']),
    type: String(envelope['payloadType']),
    signature: bytesOf(signature?.['sig']),
  };
}

function bundleCore(bundle: Json): object {
  const material = recordOf(bundle['verificationMaterial']);
  const [entry = {}] = material['tlogEntries'] as readonly Json[];
  return {
    ...envelopeCore(recordOf(bundle['dsseEnvelope'])),
    certificate: bytesOf(recordOf(material['certificate'])['rawBytes']),
    promise: bytesOf(recordOf(entry['inclusionPromise'])['signedEntryTimestamp']),
    body: bytesOf(entry['canonicalizedBody']),
    time: String(entry['integratedTime']),
    index: String(entry['logIndex']),
    log: bytesOf(recordOf(entry['logId'])['keyId']),
  };
}

function parse(bytes: Buffer): Json {
  return recordOf(JSON.parse(bytes.toString('utf8')));
}

function recordOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}

function bytesOf(value: unknown): string {
  return Buffer.from(String(value), 'base64').toString('hex');
}

/** Of the first certificate in a text: what is neither base64 nor a label's line is nobody's concern. */
function bytesOfPem(pem: string): string {
  const lines = pem.split('\n').filter((line) => !/-----(?:BEGIN|END) /.test(line));
  return new X509Certificate(Buffer.from(lines.join(''), 'base64')).raw.toString('hex');
}
