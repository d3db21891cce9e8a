/** Compression that kafkajs lacks or leaves unbounded. */
import { promisify } from "node:util";
import { gzip, unzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";
import { decompressFrame } from "lz4-napi";
import { uncompress } from "snappy";

export type Compression = "none" | "gzip" | "zstd";

const { CompressionCodecs, CompressionTypes } = kafkajs;

/**
 * A record batch that inflates beyond this fails: anyone may write to the public topics. A frame of LZ4 grows
 * 255 times at most, so that one of the broker's own limit (1 MiB) stays below it.
 */
export const inflatedBytesMax = 256 * 1024 * 1024;

const inflateOptions = { maxOutputLength: inflatedBytesMax };
const [gzipAsync, unzipAsync] = [promisify(gzip), promisify(unzip)];
const [zstdCompressAsync, zstdDecompressAsync] = [promisify(zstdCompress), promisify(zstdDecompress)];

interface Encoder {
  readonly buffer: Buffer;
}

export function registerCodecs(): void {
  Object.assign(CompressionCodecs, {
    [CompressionTypes.GZIP]: () => ({
      compress: ({ buffer }: Encoder) => gzipAsync(buffer),
      decompress: (buffer: Buffer) => unzipAsync(buffer, inflateOptions),
    }),
    [CompressionTypes.ZSTD]: () => ({
      compress: ({ buffer }: Encoder) => zstdCompressAsync(buffer),
      decompress: (buffer: Buffer) => zstdDecompressAsync(buffer, inflateOptions),
    }),
    // Others may write these; we never do.
    [CompressionTypes.Snappy]: () => ({ compress: unused, decompress: unsnap }),
    [CompressionTypes.LZ4]: () => ({ compress: unused, decompress: decompressFrame }),
  });
}

export function compressionType(compression: Compression): kafkajs.CompressionTypes {
  switch (compression) {
    case "none":
      return CompressionTypes.None;
    case "gzip":
      return CompressionTypes.GZIP;
    case "zstd":
      return CompressionTypes.ZSTD;
    default:
      return compression satisfies never;
  }
}

function unused(): never {
  throw new Error("Sluice writes with none, gzip or zstd");
}

/** Before the blocks of Java clients' Snappy streams: `\x82SNAPPY\0`, two version numbers. */
const snappyStream = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0]);
const snappyStreamHeaderBytes = 16;

/** A plain block of Snappy (librdkafka), or a stream of blocks, each after its length (Java clients). */
async function unsnap(buffer: Buffer): Promise<Buffer> {
  const blocks: Buffer[] = [];
  if (buffer.subarray(0, snappyStream.length).equals(snappyStream)) {
    for (let at = snappyStreamHeaderBytes; at + 4 <= buffer.length;) {
      const bytes = buffer.readInt32BE(at);
      if (bytes < 0 || at + 4 + bytes > buffer.length)
        throw new Error("a block of Snappy ends beyond its stream");
      blocks.push(buffer.subarray(at + 4, at + 4 + bytes));
      at += 4 + bytes;
    }
  } else {
    blocks.push(buffer);
  }
  const inflatedBytes = blocks.reduce((sum, block) => sum + snappyInflatedBytes(block), 0);
  if (inflatedBytes > inflatedBytesMax)
    throw new Error(`Snappy says that it inflates to ${inflatedBytes} bytes`);
  return Buffer.concat(
    await Promise.all(blocks.map((block) => uncompress(block, { asBuffer: true }) as Promise<Buffer>)),
  );
}

/** A block begins with its inflated length as a varint (google/snappy, format_description.txt). */
function snappyInflatedBytes(block: Buffer): number {
  let bytes = 0;
  for (const [index, byte] of block.subarray(0, 5).entries()) {
    bytes += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return bytes;
  }
  throw new Error("a block of Snappy has no length");
}
