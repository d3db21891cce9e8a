import { basename, dirname, join } from "node:path";
import { SluiceError } from "@sluice/errors";
import { realDisk, type Disk, type DiskFile } from "./disk.ts";
import { lastIds } from "./last-ids.ts";
import { defaultSinkOptions } from "./options.ts";
import { RecentIds } from "./recent-ids.ts";
import type { SinkRow } from "./step.ts";

/** How far the file is: what is beyond `bytes` was never acknowledged. */
interface Checkpoint {
  readonly version: 1;
  readonly bytes: number;
  /** Next offset of each partition that is not in the file. */
  readonly next: Readonly<Record<string, number>>;
  /** Rows before this byte are of a topic that is gone: their ids mean nothing. 0 where omitted. */
  readonly idsFrom?: number;
}

/** What became of rows: all of them are in the file. */
export interface Appended {
  /** Those that were there before, by their place in the topic or by their id. */
  readonly repeated: number;
}

interface Waiting {
  readonly rows: readonly SinkRow[];
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Appends results to one JSON Lines file, each once, whenever the process may die.
 *
 * The file is its own ledger: beside it lies a checkpoint with its length and, by partition, the next
 * offset that is not in it. A write appends, syncs, and then replaces the checkpoint. On opening, what
 * reaches beyond the checkpoint is cut off; rows below the offsets are in the file and are left out. So a
 * batch that is delivered again, because its offset was not committed, changes nothing. A result that lies in
 * the topic twice, as it may without transactions, is known by its id: the last ids are kept, and read back
 * from the file's end on opening. One that is repeated after more others than that is written again.
 */
export class JsonlFile {
  readonly path: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #ids: RecentIds;
  #checkpoint: Checkpoint;
  /** Of the write that failed last: known if it turns out to have come through. */
  #unsureIds: Iterable<string> = [];
  /**
   * Whether the checkpoint that is seen on the disk would survive a loss of power is unknown: a write failed,
   * or the process that wrote it died meanwhile.
   */
  #uncertain = true;
  #queue: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #closed = false;

  private constructor(path: string, disk: Disk, file: DiskFile, checkpoint: Checkpoint, ids: RecentIds) {
    this.path = path;
    this.#disk = disk;
    this.#file = file;
    this.#checkpoint = checkpoint;
    this.#ids = ids;
  }

  /** @param idsMax how many other results may come between two of the same id that are still told apart. */
  static async open(
    path: string,
    disk: Disk = realDisk(),
    idsMax = defaultSinkOptions.idsMax,
  ): Promise<JsonlFile> {
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
      const ids = new RecentIds(idsMax);
      for (const id of await lastIds(file, checkpoint, idsMax)) ids.add(id);
      return new JsonlFile(path, disk, file, checkpoint, ids);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes of the file that are safe. */
  get bytes(): number {
    return this.#checkpoint.bytes;
  }

  /** Ids that are remembered. */
  get knownIds(): number {
    return this.#ids.size;
  }

  /**
   * Compares the checkpoint with where the partitions of the topic end. A partition that ends below what was
   * read of it is another one of the same name: the topic was made anew, its offsets start again, and rows
   * must not be taken for known ones. True where that is so; then all offsets and ids are forgotten, rows are kept.
   */
  async forgetIfRecreated(ends: readonly number[]): Promise<boolean> {
    const { bytes, next } = this.#checkpoint;
    const recreated = Object.entries(next).some(
      ([partition, offset]) => offset > (ends[Number(partition)] ?? 0),
    );
    if (!recreated) return false;
    this.#checkpoint = { version: 1, bytes, next: {}, idsFrom: bytes };
    this.#ids.clear();
    await this.#disk.replace(checkpointPath(this.path), JSON.stringify(this.#checkpoint));
    return true;
  }

  /**
   * Resolves when the rows are on disk; where it rejects, the same rows have to come again before any later
   * ones of their partition. Writes that wait meanwhile share one sync.
   */
  append(rows: readonly SinkRow[]): Promise<Appended> {
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
        const repeated = await this.#write(batch.map(({ rows }) => rows));
        for (const [index, { resolve }] of batch.entries()) resolve({ repeated: repeated[index] ?? 0 });
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error));
        for (const { reject } of batch) reject(failure);
      }
    }
    this.#flushing = null;
  }

  /** Returns how many rows of each batch were there before. */
  async #write(batches: readonly (readonly SinkRow[])[]): Promise<readonly number[]> {
    const again = this.#uncertain;
    if (again) await this.#lookBack();
    const { bytes, next } = this.#checkpoint;
    const grown = new Map(Object.entries(next));
    const ids = new Set<string>();
    let text = "";
    const append = ({ partition, offset, result }: SinkRow): number => {
      const key = String(partition);
      if (offset < (grown.get(key) ?? 0)) return 1;
      grown.set(key, offset + 1);
      const { result_id: id } = result;
      if (ids.has(id) || this.#ids.has(id)) return 1;
      ids.add(id);
      text += `${JSON.stringify(result)}\n`;
      return 0;
    };
    const repeated = batches.map((rows) => rows.reduce((sum, row) => sum + append(row), 0));
    // Even rows that are known must not be acknowledged before their checkpoint is sure to survive.
    const isKnown = [...grown].every(([partition, offset]) => next[partition] === offset);
    if (isKnown && !again) return repeated;
    const appended = Buffer.from(text, "utf8");
    const checkpoint: Checkpoint = {
      ...this.#checkpoint,
      bytes: bytes + appended.length,
      next: Object.fromEntries(grown),
    };
    this.#uncertain = true;
    this.#unsureIds = ids;
    // What an earlier write that failed may have left half done goes first.
    await this.#file.truncate(bytes);
    await this.#file.append(appended);
    await this.#file.sync();
    await this.#disk.replace(checkpointPath(this.path), JSON.stringify(checkpoint));
    this.#settle(checkpoint);
    return repeated;
  }

  /** A write that seemed to fail may have come through: then the checkpoint on the disk says so. */
  async #lookBack(): Promise<void> {
    const onDisk = await readCheckpoint(this.#disk, this.path);
    if (onDisk.bytes <= this.#checkpoint.bytes) return;
    this.#settle(onDisk);
    this.#uncertain = true;
  }

  #settle(checkpoint: Checkpoint): void {
    for (const id of this.#unsureIds) this.#ids.add(id);
    this.#unsureIds = [];
    this.#checkpoint = checkpoint;
    this.#uncertain = false;
  }
}

function checkpointPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.checkpoint`);
}

async function readCheckpoint(disk: Disk, path: string): Promise<Checkpoint> {
  const text = await disk.readText(checkpointPath(path));
  return text === null ? { version: 1, bytes: 0, next: {} } : (JSON.parse(text) as Checkpoint);
}
