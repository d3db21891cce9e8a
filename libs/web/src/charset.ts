/** From a body's bytes to text, with the encoding that a browser would choose (HTML §13.2.3). */
import { isAscii } from "node:buffer";
import { ResultType, Sniffer } from "encoding-sniffer/sniffer";
import { parseContentType } from "./content-type.ts";

/** How many bytes are searched first for a declaration of the encoding. */
const prescanBytesMax = 1024;

/**
 * How many bytes are searched where those have none: a browser that meets a late declaration starts the page again
 * with it (HTML §13.2.3.4), wherever it is; ours has a limit, which long inline scripts before it rarely reach.
 */
const lateBytesMax = 16 * 1024;

export interface DecodedBody {
  readonly text: string;
  /** Name of the encoding in lower case, as in the Encoding standard, e.g. `windows-1252`. */
  readonly encoding: string;
}

/**
 * Decodes a body: byte order mark, else the header's charset, else a declaration near the start, else
 * windows-1252 (UTF-8 for XML and JSON). Never fails: what is no character becomes U+FFFD.
 */
export function decodeBody(bytes: Uint8Array, contentTypeHeader: string | null | undefined): DecodedBody {
  const encoding = encodingOf(bytes, contentTypeHeader);
  // Encodings that can hide markup from a filter are never decoded; a browser shows one U+FFFD (Encoding §14.1).
  if (encoding === "replacement") return { text: bytes.length === 0 ? "" : "\ufffd", encoding };
  return { text: new TextDecoder(encoding).decode(bytes), encoding };
}

/** Octets decoded at a time of a large body. */
const pieceBytes = 32_768;
/** No larger body is decoded whole: its text is up to twice as large as it is. */
const wholeBytesMax = 262_144;

/** Encodings of one octet a character, which keep nothing from one piece to the next. */
const singleByte = /^(?:windows-(?!949|31j)|iso-8859-|koi8-|ibm866|macintosh|x-mac-|x-user-)/;

/**
 * The same text as `decodeBody` gives, in pieces, so that a large body never stands in memory a second time.
 * @param encoding as `encodingOf` says it
 */
export function* decodedPieces(bytes: Uint8Array, encoding: string): Generator<string> {
  if (encoding === "replacement") {
    if (bytes.length > 0) yield "\ufffd";
    return;
  }
  if (bytes.length <= wholeBytesMax) {
    yield new TextDecoder(encoding).decode(bytes);
    return;
  }
  if (singleByte.test(encoding)) {
    yield* singleBytePieces(bytes, encoding);
    return;
  }
  const isUtf8 = encoding === "utf-8";
  const first = new TextDecoder(encoding);
  const stream = !isUtf8;
  // Of UTF-8 each piece is decoded by itself, which is faster; a mark is one in the first alone.
  const next = stream ? first : new TextDecoder(encoding, { ignoreBOM: true });
  for (let from = 0; from < bytes.length;) {
    const to = isUtf8 ? characterStart(bytes, from + pieceBytes) : from + pieceBytes;
    yield (from === 0 ? first : next).decode(bytes.subarray(from, to), { stream });
    from = to;
  }
  if (stream) yield first.decode();
}

/**
 * By a table: a decoder of the platform makes a buffer outside the heap for each piece, and ten megabytes of such buffers
 * wait for a collector that sees none of them. All these encodings have ASCII's characters where ASCII has them.
 */
function* singleBytePieces(bytes: Uint8Array, encoding: string): Generator<string> {
  const octets = Uint8Array.from({ length: 256 }, (_, octet) => octet);
  const text = new TextDecoder(encoding, { ignoreBOM: true }).decode(octets);
  const codes = Uint16Array.from(octets, (octet) => text.charCodeAt(octet));
  const decoded = new Uint16Array(pieceBytes);
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const piece = Buffer.from(
      bytes.buffer,
      bytes.byteOffset + from,
      Math.min(pieceBytes, bytes.length - from),
    );
    if (isAscii(piece)) {
      yield piece.toString("latin1");
      continue;
    }
    for (let at = 0; at < piece.length; at += 1) decoded[at] = codes[piece[at] ?? 0] ?? 0;
    yield Buffer.from(decoded.buffer, 0, 2 * piece.length).toString("utf16le");
  }
}

/** The last instant at or before `at` where no character of UTF-8 is open; what is none is open nowhere. */
function characterStart(bytes: Uint8Array, at: number): number {
  for (let back = 0; back <= 3; back += 1) {
    const octet = bytes[at - back];
    if (octet === undefined || octet >> 6 !== 0b10) return at - back;
  }
  return at;
}

/**
 * The encoding alone, for who decodes a body piece by piece; may be `replacement`, which nothing decodes.
 * @param bytes at least the first 16 KiB of the body
 * @param fallback where nothing is declared; by default what the type of the document says
 */
export function encodingOf(
  bytes: Uint8Array,
  header: string | null | undefined,
  fallback: string | null = null,
): string {
  const type = parseContentType(header);
  const isJson = type !== null && /^application\/(?:json|.+\+json)$/.test(type.essence);
  const label = type?.charset ?? null;
  const options = {
    defaultEncoding: fallback ?? (isJson || type?.isXml ? "utf-8" : "windows-1252"),
    ...(label === null ? {} : { transportLayerEncodingLabel: label }),
  };
  for (const maxBytes of [prescanBytesMax, lateBytesMax]) {
    const sniffer = new Sniffer({ ...options, maxBytes });
    sniffer.write(bytes.subarray(0, maxBytes));
    const isFound = sniffer.resultType !== ResultType.DEFAULT;
    if (isFound || bytes.length <= maxBytes) return sniffer.encoding.toLowerCase();
  }
  return options.defaultEncoding;
}
