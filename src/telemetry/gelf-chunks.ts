// Graylog's advice for datagrams that must not be fragmented on the way; what it adds for IP and UDP fits into 1500.
const maxDatagramBytes = 1420;
const magic = Buffer.from([0x1e, 0x0f]);
const idBytes = 8;
const headerBytes = magic.length + idBytes + 2;
const maxChunks = 128;

/** The longest payload that can be sent in datagrams, in bytes. */
export const maxDatagramPayload = maxChunks * (maxDatagramBytes - headerBytes);

/**
 * The datagrams of one payload: itself where it fits into one, else chunks with GELF's header (magic bytes, message id,
 * number of the chunk, count). `id` are 8 bytes that no other message in flight has. At most {@link maxDatagramPayload}
 * bytes can be sent: more gives a RangeError.
 */
export function datagramsOf(payload: Buffer, id: Buffer): readonly Buffer[] {
  if (payload.length <= maxDatagramBytes) return [payload];
  const bodyBytes = maxDatagramBytes - headerBytes;
  const count = Math.ceil(payload.length / bodyBytes);
  if (count > maxChunks || id.length !== idBytes)
    throw new RangeError(`a payload of ${payload.length} bytes, an id of ${id.length}`);
  return Array.from({ length: count }, (_, index) => {
    const body = payload.subarray(index * bodyBytes, (index + 1) * bodyBytes);
    return Buffer.concat([magic, id, Buffer.from([index, count]), body]);
  });
}
