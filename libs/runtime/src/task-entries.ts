import { Overlay, OrderedMap, parsedReads, type Entries } from "@sluice/topology";
import type { OutputBuffer } from "./output-buffer.ts";
import type { TaskStore } from "./store.ts";

const none = new OrderedMap<string | null>();

/**
 * A task's entries as its steps see them: the store has only what is committed, above it lie the changes of the
 * transaction under way and those that no transaction has taken yet. Both are gone with the task when a commit fails.
 */
export class TaskEntries implements Entries {
  readonly #store: TaskStore;
  readonly #output: OutputBuffer;
  readonly #parsed: Entries;
  #taken = none;

  constructor(store: TaskStore, output: OutputBuffer) {
    this.#store = store;
    this.#output = output;
    this.#parsed = parsedReads(() => this.#texts());
  }

  get(key: string): unknown {
    return this.#parsed.get(key);
  }

  first(prefix: string, limit: number, after?: string): readonly (readonly [string, unknown])[] {
    return this.#parsed.first(prefix, limit, after);
  }

  /** A transaction has taken the changes so far. */
  taken(changes: OrderedMap<string | null>): void {
    this.#taken = changes;
  }

  /** The store has them. */
  applied(): void {
    this.#taken = none;
  }

  #texts(): Entries<string> {
    return new Overlay(new Overlay(this.#store, this.#taken), this.#output.changes);
  }
}
