const customSection = 0;
const memorySection = 5;
const preambleBytes = 8;
const hasMaximum = 0x01;

function unsigned(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return Buffer.from(bytes);
}

function readUnsigned(from: Buffer, offset: number): { value: number; next: number } {
  let value = 0;
  let next = offset;
  for (let shift = 0; ; shift += 7) {
    const byte = from.readUInt8(next);
    next += 1;
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return { value, next };
  }
}

/** The memory section with an upper bound: one memory, as Go's linker makes it. */
function cappedMemory(content: Buffer, maxPages: number): Buffer {
  const count = readUnsigned(content, 0);
  const flags = readUnsigned(content, count.next);
  const minimum = readUnsigned(content, flags.next);
  if (count.value !== 1 || flags.value !== 0) throw new Error('the module has no plain memory to bound');
  return Buffer.concat([Buffer.from([1, hasMaximum]), unsigned(minimum.value), unsigned(maxPages)]);
}

/**
 * A WebAssembly module with an upper bound on its memory (in pages of 64 KiB), which Go's linker cannot write, and
 * without custom sections (names, build ids), which nobody reads (WebAssembly core specification 5.5).
 */
export function boundModule(module: Buffer, maxPages: number): Buffer {
  const parts = [module.subarray(0, preambleBytes)];
  for (let offset = preambleBytes; offset < module.length;) {
    const id = module.readUInt8(offset);
    const size = readUnsigned(module, offset + 1);
    const content = module.subarray(size.next, size.next + size.value);
    offset = size.next + size.value;
    if (id === customSection) continue;
    const kept = id === memorySection ? cappedMemory(content, maxPages) : content;
    parts.push(Buffer.from([id]), unsigned(kept.length), kept);
  }
  return Buffer.concat(parts);
}
