/**
 * The map of completed offsets above a committed one, as it travels in the commit's metadata string.
 *
 * Form: `sl1` + `r` (run lengths) or `b` (bit set) + base64url of [the committed offset as a varint, body].
 * Run lengths are varints, in turn not completed and completed, from the committed offset on. The bit set
 * is least significant bit first, bit 0 being the committed offset. The offset is repeated inside so that a
 * map that was carried to another offset (a tool that resets groups) is not believed: a wrong map loses
 * records, no map only repeats some.
 */

/** What a broker accepts by default (`offset.metadata.max.bytes`). */
export const metadataBytesMax = 4096;

/** Completed ranges, flat and ascending: from, to (exclusive), from, to, …; ranges never touch. */
export type Edges = readonly number[];

export interface EncodedOffsetMap {
  readonly metadata: string;
  /** Share of `metadataBytesMax` in use; 1 where only a prefix of the map found room. */
  readonly fill: number;
}

const prefix = "sl1";
const bodyBytesMax = Math.floor(((metadataBytesMax - prefix.length - 1) * 6) / 8);

/** The smaller of both forms; where neither fits, the prefix that covers the most completed offsets. */
export function encodeOffsetMap(committed: number, done: Edges): EncodedOffsetMap {
  const last = done.at(-1);
  if (last === undefined) return { metadata: "", fill: 0 };
  const runs = encodeRuns(committed, done);
  const headBytes = varintBytes(committed);
  const bitsBytes = headBytes + Math.ceil((last - committed) / 8);
  if (runs.done === done.length && runs.bytes.length <= bitsBytes) return whole("r", runs.bytes);
  if (bitsBytes <= bodyBytesMax) return whole("b", encodeBits(committed, done, bitsBytes));
  const runsEnd = runs.done === 0 ? committed : (done[runs.done - 1] ?? committed);
  const bitsEnd = committed + (bodyBytesMax - headBytes) * 8;
  const metadata =
    bitsEnd > runsEnd ? text("b", encodeBits(committed, done, bodyBytesMax)) : text("r", runs.bytes);
  return { metadata, fill: 1 };
}

/** Never throws: what is not ours, or not for this offset, says that nothing above it was completed. */
export function decodeOffsetMap(committed: number, metadata: string): Edges {
  const form = metadata[prefix.length];
  if (!metadata.startsWith(prefix) || metadata.length > metadataBytesMax) return [];
  if (form !== "r" && form !== "b") return [];
  const base64 = metadata.slice(prefix.length + 1);
  const bytes = Buffer.from(base64, "base64url");
  if (bytes.toString("base64url") !== base64) return [];
  const head = readVarint(bytes, 0);
  if (head === null || head.value !== committed) return [];
  return form === "r" ? decodeRuns(committed, bytes, head.end) : decodeBits(committed, bytes, head.end);
}

function whole(form: "r" | "b", bytes: Uint8Array): EncodedOffsetMap {
  const metadata = text(form, bytes);
  return { metadata, fill: metadata.length / metadataBytesMax };
}

function text(form: "r" | "b", bytes: Uint8Array): string {
  return prefix + form + Buffer.from(bytes.buffer, 0, bytes.length).toString("base64url");
}

/** As many whole ranges as fit; `done` is how many edges of the input they are. */
function encodeRuns(committed: number, done: Edges): { bytes: Uint8Array; done: number } {
  const bytes = new Uint8Array(bodyBytesMax);
  let size = writeVarint(bytes, 0, committed);
  let at = committed;
  let edges = 0;
  for (; edges + 1 < done.length; edges += 2) {
    const from = done[edges] ?? at;
    const to = done[edges + 1] ?? from;
    if (size + varintBytes(from - at) + varintBytes(to - from) > bodyBytesMax) break;
    size = writeVarint(bytes, size, from - at);
    size = writeVarint(bytes, size, to - from);
    at = to;
  }
  return { bytes: bytes.subarray(0, size), done: edges };
}

function decodeRuns(committed: number, bytes: Uint8Array, start: number): Edges {
  const edges: number[] = [];
  let offset = committed;
  let at = start;
  while (at < bytes.length) {
    const gap = readVarint(bytes, at);
    const run = gap === null ? null : readVarint(bytes, gap.end);
    if (gap === null || run === null || run.value === 0) return [];
    if (gap.value === 0 && edges.length > 0) return [];
    const from = offset + gap.value;
    offset = from + run.value;
    if (!Number.isSafeInteger(offset)) return [];
    edges.push(from, offset);
    at = run.end;
  }
  return edges;
}

/** The first `bytesMax` bytes of the bit set, the head included. */
function encodeBits(committed: number, done: Edges, bytesMax: number): Uint8Array {
  const bytes = new Uint8Array(bytesMax);
  const start = writeVarint(bytes, 0, committed);
  const bitsMax = (bytesMax - start) * 8;
  for (let edge = 0; edge + 1 < done.length; edge += 2) {
    const from = (done[edge] ?? 0) - committed;
    const to = Math.min((done[edge + 1] ?? 0) - committed, bitsMax);
    for (let bit = from; bit < to; bit++) {
      const byte = start + (bit >>> 3);
      bytes[byte] = (bytes[byte] ?? 0) | (1 << (bit & 7));
    }
    if (to === bitsMax) break;
  }
  return bytes;
}

function decodeBits(committed: number, bytes: Uint8Array, start: number): Edges {
  const edges: number[] = [];
  const bits = (bytes.length - start) * 8;
  let inside = false;
  for (let bit = 0; bit < bits; bit++) {
    const set = (((bytes[start + (bit >>> 3)] ?? 0) >>> (bit & 7)) & 1) === 1;
    if (set !== inside) edges.push(committed + bit);
    inside = set;
  }
  if (inside) edges.push(committed + bits);
  return edges;
}

/** Unsigned LEB128, arithmetic instead of shifts: offsets go beyond 32 bits. */
function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | null {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    value += (byte & 0x7f) * scale;
    if (!Number.isSafeInteger(value)) return null;
    if (byte < 0x80) return { value, end: at + 1 };
    scale *= 0x80;
  }
  return null;
}
