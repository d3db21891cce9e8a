import { basename, dirname, join } from "node:path";
import { SluiceError } from "@sluice/errors";
import { realDisk, type Disk, type DiskFile } from "./disk.ts";
import type { SinkRow } from "./step.ts";

/** How far the file is: what is beyond `bytes` was never acknowledged. */
interface Checkpoint {
  readonly version: 1;
  readonly bytes: number;
  /** Next offset of each partition that is not in the file. */
  readonly next: Readonly<Record<string, number>>;
}

interface Waiting {
  readonly rows: readonly SinkRow[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
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
  readonly #disk: Disk;
  readonly #file: DiskFile;
  #checkpoint: Checkpoint;
  /**
   * Whether the checkpoint that is seen on the disk would survive a loss of power is unknown: a write failed,
   * or the process that wrote it died meanwhile.
   */
  #uncertain = true;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #closed = false;

  private constructor(path: string, disk: Disk, file: DiskFile, checkpoint: Checkpoint) {
    this.path = path;
    this.#disk = disk;
    this.#file = file;
    this.#checkpoint = checkpoint;
  }

  static async open(path: string, disk: Disk = realDisk()): Promise<JsonlFile> {
    const file = await disk.open(path);
    try {
      const checkpoint = await readCheckpoint(disk, path);
      const size = await file.size();
      if (size < checkpoint.bytes) {
        throw new SluiceError(
          "SLUICE_SINK_FAILED",
          `${path} has ${size} bytes where ${checkpoint.bytes} were written: it was changed by someone else. ` +
            `Move it away together with ${checkpointPath(path)} to start a new file.`,
        );
      }
      if (size > checkpoint.bytes) await file.truncate(checkpoint.bytes);
      return new JsonlFile(path, disk, file, checkpoint);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes of the file that are safe. */
  get bytes(): number {
    return this.#checkpoint.bytes;
  }

  /**
   * Compares the checkpoint with where the partitions of the topic end. A partition that ends below what was
   * read of it is another one of the same name: the topic was made anew, its offsets start again, and rows
   * must not be taken for known ones. True where that is so; then all offsets are forgotten, rows are kept.
   */
  async forgetIfRecreated(ends: readonly number[]): Promise<boolean> {
    const { bytes, next } = this.#checkpoint;
    const recreated = Object.entries(next).some(
      ([partition, offset]) => offset > (ends[Number(partition)] ?? 0),
    );
    if (!recreated) return false;
    this.#checkpoint = { version: 1, bytes, next: {} };
    await this.#disk.replace(checkpointPath(this.path), JSON.stringify(this.#checkpoint));
    return true;
  }

  /**
   * Resolves when the rows are on disk; where it rejects, the same rows have to come again before any later
   * ones of their partition. Writes that wait meanwhile share one sync.
   */
  append(rows: readonly SinkRow[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ rows, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Ends the write under way; what waits behind it is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        if (this.#closed) throw new SluiceError("SLUICE_SINK_FAILED", `${this.path} is closed`);
        await this.#write(batch.flatMap(({ rows }) => rows));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error));
        for (const { reject } of batch) reject(failure);
      }
    }
    this.#flushing = null;
  }

  async #write(rows: readonly SinkRow[]): Promise<void> {
    const again = this.#uncertain;
    if (again) this.#checkpoint = merged(this.#checkpoint, await readCheckpoint(this.#disk, this.path));
    const { bytes, next } = this.#checkpoint;
    const grown = new Map(Object.entries(next));
    let text = "";
    for (const { partition, offset, result } of rows) {
      const key = String(partition);
      if (offset < (grown.get(key) ?? 0)) continue;
      text += `${JSON.stringify(result)}\n`;
      grown.set(key, offset + 1);
    }
    // Even rows that are known must not be acknowledged before their checkpoint is sure to survive.
    if (text === "" && !again) return;
    const appended = Buffer.from(text, "utf8");
    const checkpoint: Checkpoint = {
      version: 1,
      bytes: bytes + appended.length,
      next: Object.fromEntries(grown),
    };
    this.#uncertain = true;
    // What an earlier write that failed may have left half done goes first.
    await this.#file.truncate(bytes);
    await this.#file.append(appended);
    await this.#file.sync();
    await this.#disk.replace(checkpointPath(this.path), JSON.stringify(checkpoint));
    this.#checkpoint = checkpoint;
    this.#uncertain = false;
  }
}

/** The one on the disk, where a write that seemed to fail had come so far; otherwise the one in memory. */
function merged(inMemory: Checkpoint, onDisk: Checkpoint): Checkpoint {
  return onDisk.bytes > inMemory.bytes ? onDisk : inMemory;
}

function checkpointPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.checkpoint`);
}

async function readCheckpoint(disk: Disk, path: string): Promise<Checkpoint> {
  const text = await disk.readText(checkpointPath(path));
  return text === null ? { version: 1, bytes: 0, next: {} } : (JSON.parse(text) as Checkpoint);
}
