import type { DiskFile } from "./disk.ts";

/** Most bytes that are read back for ids, so that a start takes seconds with any file. */
export const readBackBytesMax = 268_435_456;
const chunkBytes = 1_048_576;
const newline = 10;

/** Ids of the last rows of a file that ends at `bytes`, oldest first: at most `idsMax`, of at most `bytesMax`. */
export async function lastIds(
  file: Pick<DiskFile, "read">,
  { bytes, idsFrom = 0 }: { readonly bytes: number; readonly idsFrom?: number },
  idsMax: number,
  bytesMax = readBackBytesMax,
): Promise<readonly string[]> {
  const found: string[] = [];
  const take = (line: Buffer): void => {
    const id = line.length === 0 || found.length >= idsMax ? null : idOf(line);
    if (id !== null) found.push(id);
  };
  const lowest = Math.max(idsFrom, bytes - bytesMax);
  // Pieces of the line that is cut by the chunk's start, last piece first.
  let cut: Buffer[] = [];
  for (let end = bytes; end > lowest && found.length < idsMax;) {
    const from = Math.max(lowest, end - chunkBytes);
    const chunk = await file.read(from, end - from);
    let lineEnd = chunk.length;
    for (
      let at = chunk.lastIndexOf(newline);
      at >= 0;
      at = at === 0 ? -1 : chunk.lastIndexOf(newline, at - 1)
    ) {
      take(Buffer.concat([chunk.subarray(at + 1, lineEnd), ...cut.toReversed()]));
      cut = [];
      lineEnd = at;
    }
    cut.push(chunk.subarray(0, lineEnd));
    end = from;
  }
  if (lowest === idsFrom) take(Buffer.concat(cut.toReversed()));
  return found.reverse();
}

/** How a row begins as the sink writes it: its id is found without reading the rest. */
const rowStart = /^\{"schema_version":1,"result_id":"([^"\\]*)"/;
const rowStartBytes = 200;

/** Null where the line is none of ours: somebody may have edited what lies there. */
function idOf(line: Buffer): string | null {
  const [, id] = rowStart.exec(line.toString("latin1", 0, rowStartBytes)) ?? [];
  return id ?? parsedId(line);
}

function parsedId(line: Buffer): string | null {
  try {
    const { result_id: id } = JSON.parse(line.toString("utf8")) as { readonly result_id?: unknown };
    return typeof id === "string" ? id : null;
  } catch {
    return null;
  }
}
