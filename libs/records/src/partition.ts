/** Which partition a key belongs to: the same as with Java's default partitioner. */

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;

/** murmur2 as Kafka's Java client has it; a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const wholeBytes = length & ~3;
  let hash = seed ^ length;
  for (let at = 0; at < wholeBytes; at += 4) {
    let word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    word = Math.imul(word, multiplier);
    word = Math.imul(word ^ (word >>> 24), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  if (length > wholeBytes) {
    for (let at = length - 1; at >= wholeBytes; at--) {
      hash ^= (bytes[at] ?? 0) << ((at - wholeBytes) * 8);
    }
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of a key's UTF-8 bytes. Throws where `partitions` is not a positive integer. */
export function partitionOf(key: string, partitions: number): number {
  if (!Number.isInteger(partitions) || partitions < 1) {
    throw new RangeError(`${partitions} is not a number of partitions`);
  }
  return (murmur2(Buffer.from(key, "utf8")) & 0x7fffffff) % partitions;
}
