/** Compression that kafkajs lacks or leaves unbounded. */
import { promisify } from "node:util";
import { gzip, unzip, zstdCompress, zstdDecompress } from "node:zlib";
import kafkajs from "kafkajs";

export type Compression = "none" | "gzip" | "zstd";

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** A record batch that inflates beyond this fails: anyone may write to the public topics. */
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
