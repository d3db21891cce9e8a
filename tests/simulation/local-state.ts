/** The state on a process's own disk: what a checkpoint has not written is lost when the process is killed. */
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

  open(task: number, nowMs: number): TaskStore {
    const store = this.#stores.open(task, nowMs);
    this.#opened.set(task, store);
    const checkpoint = (): unknown =>
      this.#undo.set(task, { before: new Map(), nextOffset: store.nextOffset });
    if (!this.#undo.has(task)) checkpoint();
    return new Proxy(store, {
      get: (target, name) => {
        if (name === "apply") return this.#applying(task, target);
        if (name === "clear" || name === "checkpoint" || name === "close")
          return (asOfMs: number): void => {
            target[name](asOfMs);
            checkpoint();
          };
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
    for (const [task, { before, nextOffset }] of this.#undo)
      this.#opened.get(task)?.apply(before, nextOffset);
    this.#undo.clear();
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
