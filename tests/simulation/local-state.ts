/**
 * The state on a process's own disk: what a checkpoint has not written is lost when the process is killed. On a disk that is full
 * a write fails, and all that was not written before goes with it, as SQLite undoes a transaction; what is there can be read.
 */
import type { Random } from "@sluice/broker/memory";
import { SluiceError } from "@sluice/errors";
import { memoryStores, type StateStores, type TaskStore } from "@sluice/runtime";

interface Undo {
  /** What was there before, by key, of everything applied since the last checkpoint. */
  readonly before: Map<string, string | null>;
  nextOffset: number;
}

export class LocalState implements StateStores {
  readonly #stores = memoryStores();
  readonly #undo = new Map<number, Undo>();
  readonly #opened = new Map<number, TaskStore>();
  readonly #random: Random;
  /** Writes that found no room. */
  failures = 0;
  isFull = false;

  constructor(random: Random) {
    this.#random = random;
  }

  open(task: number, nowMs: number): TaskStore {
    if (!this.#undo.has(task)) this.#needRoom(task);
    const store = this.#stores.open(task, nowMs);
    this.#opened.set(task, store);
    const checkpoint = (): unknown =>
      this.#undo.set(task, { before: new Map(), nextOffset: store.nextOffset });
    if (!this.#undo.has(task)) checkpoint();
    // As long as it is open: the next one who opens the file finds what was written.
    let hasFailed = false;
    const write = <T>(isCertain: boolean, act: () => T): T => {
      if (hasFailed) throw noRoom(task);
      try {
        // Changes alone often find room in what SQLite keeps in memory.
        if (isCertain || this.#random.chance(0.5)) this.#needRoom(task);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
      return act();
    };
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "apply") {
          const apply = this.#applying(task, target);
          return (...changes: Parameters<TaskStore["apply"]>): void => write(false, () => apply(...changes));
        }
        // In order, after it has failed: it is closed as it is.
        if (name === "close" && hasFailed) return (): void => target.close(null);
        if (name === "clear" || name === "checkpoint" || name === "close")
          return (asOfMs: number): void =>
            write(true, () => {
              target[name](asOfMs);
              checkpoint();
            });
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
  }

  held(): readonly number[] {
    return this.#stores.held();
  }

  close(): void {
    this.#stores.close();
  }

  /** The process is killed. */
  crash(): void {
    for (const task of this.#undo.keys()) this.#undoAll(task);
    this.#undo.clear();
  }

  #undoAll(task: number): void {
    const undo = this.#undo.get(task);
    if (undo !== undefined) this.#opened.get(task)?.apply(undo.before, undo.nextOffset);
    undo?.before.clear();
  }

  #needRoom(task: number): void {
    if (!this.isFull) return;
    this.failures += 1;
    this.#undoAll(task);
    throw noRoom(task);
  }

  #applying(task: number, store: TaskStore): TaskStore["apply"] {
    return (changes, nextOffset, inputs) => {
      const all = [...changes];
      const undo = this.#undo.get(task);
      for (const [key] of all)
        if (undo?.before.has(key) === false) undo.before.set(key, store.get(key) ?? null);
      store.apply(all, nextOffset, inputs);
    };
  }
}

const noRoom = (task: number): SluiceError =>
  new SluiceError("SLUICE_STATE_FAILED", `task-${task}.db failed: database or disk is full`);
