/** The lines of a stream of octets, one at a time and each of bounded length. */

/** A page of 10 MB in base64 has room; octets. */
export const lineBytesMax = 64 * 1024 * 1024;

export type Line =
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "too_long" | "no_utf8" };

const lf = 0x0a;

/** A last line needs no line feed. What is longer than the limit is skipped to its end, not kept. */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
  bytesMax = lineBytesMax,
): AsyncGenerator<Line> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let isOpen = false;
  const take = (): Line => {
    const line: Line = bytes > bytesMax ? { kind: "too_long" } : decoded(pieces);
    pieces = [];
    bytes = 0;
    isOpen = false;
    return line;
  };
  for await (const chunk of input) {
    let from = 0;
    for (let end = chunk.indexOf(lf); end >= 0; end = chunk.indexOf(lf, from)) {
      add(chunk.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < chunk.length) {
      isOpen = true;
      add(chunk.subarray(from));
    }
  }
  if (isOpen) yield take();

  function add(piece: Uint8Array): void {
    bytes += piece.length;
    if (bytes <= bytesMax) pieces.push(piece);
    else pieces = [];
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decoded(pieces: readonly Uint8Array[]): Line {
  try {
    return { kind: "line", text: utf8.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)) };
  } catch {
    return { kind: "no_utf8" };
  }
}
