/** Removes content codings (RFC 9110 §8.4) from a body while it streams. */
import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";

/** Layers of coding on one body; more are an attack, not a page. */
const codingsMax = 5;
/**
 * Frames of zstd in one layer. Each costs a decoder, whose buffers only the collector frees; files of zstd have a few, each of
 * hundreds of kilobytes.
 */
const framesMax = 256;
const chunkSize = 32_768;

export type Coding = "gzip" | "deflate" | "br" | "zstd";

export type Codings =
  | { readonly kind: "none" }
  /** In the order in which they were applied. */
  | { readonly kind: "coded"; readonly codings: readonly Coding[] }
  | { readonly kind: "too_many"; readonly count: number };

/**
 * Reads a `Content-Encoding` field. A coding that we don't know leaves the body as it is
 * (Fetch standard, "handle content codings"): servers write `utf-8` or `none` there.
 */
export function parseCodings(field: string | undefined): Codings {
  const names = (field ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (names.length > codingsMax) return { kind: "too_many", count: names.length };
  const codings = names.map(codingOf);
  const known = codings.filter((coding) => coding !== undefined);
  return known.length === 0 || known.length < codings.length
    ? { kind: "none" }
    : { kind: "coded", codings: known };
}

function codingOf(name: string): Coding | undefined {
  switch (name) {
    case "gzip":
    case "x-gzip": // RFC 9110 §8.4.1.3
      return "gzip";
    case "deflate":
    case "br":
    case "zstd":
      return name;
    default:
      return undefined;
  }
}

/** Its decoder may keep as much as a body has: up to 16 MiB (RFC 7932 §9.1), 8 MiB (RFC 9659); of the others 32 KiB. */
export const hasLargeWindow = (coding: Coding): boolean => coding === "br" || coding === "zstd";

export interface DecodedSink {
  /** The chunk is gone when it returns: what is to be kept has to be copied. */
  readonly onData: (chunk: Uint8Array) => void;
  /** `truncated`: the coded bytes ended early and what could be read has been given. */
  readonly onEnd: (truncated: boolean) => void;
  /** The bytes are not what the field says. */
  readonly onError: (error: Error) => void;
  /** An inner layer grew above `layerBytesMax`, or a body has more frames than pages have. */
  readonly onOverflow: () => void;
  /** After `write` answered false: more may be written. */
  readonly onDrain: () => void;
}

/**
 * A chain of decoders, outermost coding first. Only as much is decoded as the sink takes: each
 * layer waits for the next. What lies between two layers is coded itself, so it can't
 * honestly be larger than the body may be; `layerBytesMax` ends layers that expand without
 * ever giving a byte of body.
 */
export class BodyDecoder {
  readonly #layers: readonly Layer[];

  constructor(codings: readonly Coding[], layerBytesMax: number, sink: DecodedSink) {
    let truncated = false;
    const last = (): void => sink.onEnd(truncated);
    const layers: Layer[] = [];
    // Built from the innermost to the outermost, since each needs the one that it feeds.
    for (const coding of codings) {
      const next = layers[0];
      let layerBytes = 0;
      const layer = new Layer(coding, {
        onData: (chunk) => {
          if (next === undefined) {
            sink.onData(chunk);
            return release(chunk);
          }
          layerBytes += chunk.length;
          if (layerBytes > layerBytesMax) sink.onOverflow();
          else if (!next.write(chunk)) layer.pause();
        },
        onDrain: () => {
          const feeder = layers[layers.indexOf(layer) - 1];
          if (feeder === undefined) sink.onDrain();
          else feeder.resume();
        },
        onEnd: (early) => {
          truncated ||= early;
          if (next === undefined) last();
          else next.end();
        },
        onError: sink.onError,
        onOverflow: sink.onOverflow,
      });
      layers.unshift(layer);
    }
    this.#layers = layers;
  }

  write(chunk: Uint8Array): boolean {
    return this.#layers[0]?.write(chunk) ?? true;
  }

  end(): void {
    this.#layers[0]?.end();
  }

  /** Nothing more is given to the sink. */
  destroy(): void {
    for (const layer of this.#layers) layer.destroy();
  }
}

interface Written {
  /** What a stream was given and has not read to its end. */
  readonly chunks: Uint8Array[];
  /** Length of those before them. */
  readBytes: number;
}

interface LayerEvents {
  readonly onData: (chunk: Uint8Array) => void;
  readonly onDrain: () => void;
  readonly onEnd: (truncated: boolean) => void;
  readonly onError: (error: Error) => void;
  readonly onOverflow: () => void;
}

class Layer {
  readonly #coding: Coding;
  readonly #events: LayerEvents;
  /** Made with the first byte, which for `deflate` decides between its two formats. */
  #stream: Transform | undefined;
  /** Of a coding whose frames have to be told apart here. */
  #written: Written = { chunks: [], readBytes: 0 };
  #frames = 1;
  #inputEnded = false;
  #over = false;

  constructor(coding: Coding, events: LayerEvents) {
    this.#coding = coding;
    this.#events = events;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over) return true;
    this.#stream ??= this.#start(chunk);
    if (this.#coding !== "zstd") return this.#stream.write(chunk);
    const written = this.#written;
    written.chunks.push(chunk);
    return this.#stream.write(chunk, () => {
      written.readBytes += chunk.length;
      written.chunks.shift();
    });
  }

  end(): void {
    this.#inputEnded = true;
    if (this.#stream === undefined) this.#finish(true);
    else this.#stream.end();
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#stream?.destroy();
  }

  #start(first: Uint8Array): Transform {
    const stream = streamOf(this.#coding, first);
    stream.on("data", (chunk: Uint8Array) => {
      if (!this.#over) this.#events.onData(chunk);
    });
    stream.on("drain", () => {
      if (!this.#over) this.#events.onDrain();
    });
    stream.on("end", () => {
      if (!this.#goesOn(stream)) this.#finish(false);
    });
    stream.on("error", (error: Error & { code?: string }) => {
      // zlib's word for "the input ended in the middle"; all that could be decoded has been given.
      if (error.code === "Z_BUF_ERROR") this.#finish(true);
      else if (!this.#over) {
        this.#over = true;
        this.#events.onError(error);
      }
    });
    return stream;
  }

  /**
   * A body of zstd may have several frames, some of them to be skipped (RFC 8878 §3): the library's decoder ends with one
   * that ends within what it was given.
   */
  #goesOn(stream: Transform & { bytesWritten?: number }): boolean {
    if (this.#over || this.#coding !== "zstd") return false;
    const { chunks, readBytes } = this.#written;
    const left = Buffer.concat(chunks).subarray((stream.bytesWritten ?? 0) - readBytes);
    this.#written = { chunks: [], readBytes: 0 };
    this.#stream = undefined;
    stream.destroy();
    if (left.length === 0) return false;
    this.#frames += 1;
    if (this.#frames > framesMax) {
      this.#over = true;
      this.#events.onOverflow();
      return true;
    }
    const isFull = !this.write(left);
    if (this.#inputEnded) this.end();
    // Whoever was told to wait waits for a stream that is gone.
    else if (!isFull) this.#events.onDrain();
    return true;
  }

  #finish(truncated: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.onEnd(truncated);
  }
}

function streamOf(coding: Coding, first: Uint8Array): Transform {
  switch (coding) {
    case "gzip":
      return createGunzip({ chunkSize });
    case "deflate":
      return isZlib(first) ? createInflate({ chunkSize }) : createInflateRaw({ chunkSize });
    case "br":
      return createBrotliDecompress({ chunkSize });
    case "zstd":
      // RFC 9659: a receiver need not accept windows above 8 MiB; the library's own limit is 128 MiB.
      return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: 23 } });
  }
}

/**
 * Gives the memory of a chunk back at once. zlib takes a new buffer for each; left to the collector, which does not
 * see how much lies outside of its heap, a body costs its size a second time. Only where the chunk is the
 * last of a buffer that is nobody else's: before that the decoder writes on in it.
 */
function release(chunk: Uint8Array): void {
  const { buffer, byteOffset, byteLength } = chunk;
  const isLast = buffer.byteLength === chunkSize && byteOffset + byteLength === chunkSize;
  if (isLast && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** RFC 1950 §2.2: method 8, window at most 7, check bits. Servers also send RFC 1951 without this header. */
function isZlib(bytes: Uint8Array): boolean {
  const [method = 0, flags] = bytes;
  return (
    (method & 0x0f) === 8 && method >> 4 <= 7 && (flags === undefined || ((method << 8) | flags) % 31 === 0)
  );
}
