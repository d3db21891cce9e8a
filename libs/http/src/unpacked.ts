/** A body that is itself a packed file, such as sitemap.xml.gz: what is inside, piece by piece. */
import { createGunzip, gunzipSync } from "node:zlib";

/** Octets that are unpacked at a time. */
const pieceBytes = 65_536;

/**
 * The octets of a gzip file, or of anything else as it is. Unpacks no further than it is read, so that no small file
 * becomes a large one; throws where the file is broken or cut.
 */
export async function* unpacked(body: Uint8Array): AsyncGenerator<Uint8Array> {
  if (isGzip(body)) {
    const gunzip = createGunzip({ chunkSize: pieceBytes });
    gunzip.end(body);
    yield* gunzip;
    return;
  }
  yield* piecesOf(body);
}

/** The same in one go: without a thread, whose pace would decide in which order things happen. Not for files of strangers. */
export async function* unpackedAtOnce(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* piecesOf(isGzip(body) ? gunzipSync(body) : body);
}

const isGzip = (body: Uint8Array): boolean => body[0] === 0x1f && body[1] === 0x8b;

function* piecesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < body.length; from += pieceBytes) yield body.subarray(from, from + pieceBytes);
}
