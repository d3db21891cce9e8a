import { open, mkdir, readFile, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SluiceError } from "@sluice/errors";
import type { SinkRow } from "./step.ts";

/** How far the file is: what is beyond `bytes` was never acknowledged. */
interface Checkpoint {
  readonly version: 1;
  readonly bytes: number;
  /** Next offset of each partition that is not in the file. */
  readonly next: Readonly<Record<string, number>>;
}

/**
 * Appends results to one JSON Lines file, each once, whenever the process may die.
 *
 * The file is its own ledger: beside it lies a checkpoint with its length and, by partition, the next
 * offset that is not in it. A write appends, syncs, and then replaces the checkpoint. On opening, what
 * reaches beyond the checkpoint is cut off; rows below the offsets are in the file and are left out. So a
 * batch that is delivered again, because its offset was not committed, changes nothing.
 */
export class JsonlFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #checkpointPath: string;
  readonly #next: Map<string, number>;
  #bytes: number;
  #queue: { readonly rows: readonly SinkRow[]; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  #flushing = false;
  #closed = false;

  private constructor(path: string, checkpointPath: string, file: FileHandle, checkpoint: Checkpoint) {
    this.path = path;
    this.#checkpointPath = checkpointPath;
    this.#file = file;
    this.#bytes = checkpoint.bytes;
    this.#next = new Map(Object.entries(checkpoint.next));
  }

  static async open(path: string): Promise<JsonlFile> {
    await mkdir(dirname(path), { recursive: true });
    const checkpointPath = join(dirname(path), `.${path.slice(dirname(path).length + 1)}.checkpoint`);
    const checkpoint = await readCheckpoint(checkpointPath);
    const file = await open(path, "a+");
    const { size } = await file.stat();
    if (size < checkpoint.bytes) {
      await file.close();
      throw new SluiceError(
        "SLUICE_SINK_FAILED",
        `${path} has ${size} bytes where ${checkpoint.bytes} were written: it was changed by someone else. ` +
          `Move it away together with ${checkpointPath} to start a new file.`,
      );
    }
    if (size > checkpoint.bytes) await file.truncate(checkpoint.bytes);
    return new JsonlFile(path, checkpointPath, file, checkpoint);
  }

  /** Bytes of the file that are safe. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the rows are on disk. Writes that wait meanwhile share one sync. */
  append(rows: readonly SinkRow[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ rows, resolve, reject });
      void this.#flush();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        await this.#write(batch.flatMap(({ rows }) => rows));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error));
        for (const { reject } of batch) reject(failure);
      }
    }
    this.#flushing = false;
  }

  async #write(rows: readonly SinkRow[]): Promise<void> {
    const next = new Map(this.#next);
    let text = "";
    for (const { partition, offset, result } of rows) {
      const key = String(partition);
      if (offset < (next.get(key) ?? 0)) continue;
      text += `${JSON.stringify(result)}\n`;
      next.set(key, offset + 1);
    }
    if (text === "") return;
    const bytes = Buffer.from(text, "utf8");
    // What an earlier write that failed may have left half done goes first.
    await this.#file.truncate(this.#bytes);
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    await this.#saveCheckpoint({ version: 1, bytes: this.#bytes + bytes.length, next: Object.fromEntries(next) });
    this.#bytes += bytes.length;
    for (const [key, offset] of next) this.#next.set(key, offset);
  }

  async #saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const temporary = `${this.#checkpointPath}.new`;
    const file = await open(temporary, "w");
    try {
      await file.writeFile(JSON.stringify(checkpoint));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#checkpointPath);
  }
}

async function readCheckpoint(path: string): Promise<Checkpoint> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { version: 1, bytes: 0, next: {} };
    throw error;
  }
  return JSON.parse(text) as Checkpoint;
}
