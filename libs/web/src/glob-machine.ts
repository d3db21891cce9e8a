/** Runs a glob over a text with all possibilities at once, so that no character is read twice. */

/** A state of the machine, of which a set is active at a time. Ids are places in the machine's list. */
export type GlobState =
  | { readonly kind: "take"; readonly test: (char: string) => boolean; next: number }
  | { readonly kind: "split"; next: number; other: number }
  | { readonly kind: "accept" };

/** A set of active states, with the sets that follow it once they were needed. */
interface ActiveSet {
  readonly ids: readonly number[];
  readonly isAccepting: boolean;
  /** What follows for each ASCII character, as far as it was asked for. */
  readonly next: (ActiveSet | undefined)[];
}

/** Sets kept at most; when there are more, all are forgotten and made again as needed. */
const setsMax = 256;

export class GlobMachine {
  readonly #states: readonly GlobState[];
  readonly #sets = new Map<string, ActiveSet>();
  /** The step at which a state was entered last, so that each is entered once a step. */
  readonly #enteredAt: Int32Array;
  #step = 0;

  /** @param states the first one is where a run starts */
  constructor(states: readonly GlobState[]) {
    this.#states = states;
    this.#enteredAt = new Int32Array(states.length);
  }

  /** Whether the machine, having taken the whole of `text`, accepts. */
  accepts(text: string): boolean {
    let set = this.#setOf([0]);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      let next = set.next[code];
      if (next === undefined) {
        next = this.#following(set, text[i] ?? "");
        if (code < 128) set.next[code] = next;
      }
      if (next.ids.length === 0 && !next.isAccepting) return false;
      set = next;
    }
    return set.isAccepting;
  }

  #following(set: ActiveSet, char: string): ActiveSet {
    const entered: number[] = [];
    for (const id of set.ids) {
      const state = this.#states[id];
      if (state?.kind === "take" && state.test(char)) entered.push(state.next);
    }
    return this.#setOf(entered);
  }

  /** The set of what is active when `entered` are entered: splits are followed at once. */
  #setOf(entered: readonly number[]): ActiveSet {
    const key = entered.join();
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    this.#step++;
    const ids: number[] = [];
    let isAccepting = false;
    const pending = entered.toReversed();
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (this.#enteredAt[id] === this.#step) continue;
      this.#enteredAt[id] = this.#step;
      const state = this.#states[id];
      if (state?.kind === "take") ids.push(id);
      else if (state?.kind === "split") pending.push(state.other, state.next);
      else isAccepting = true;
    }
    const set: ActiveSet = { ids, isAccepting, next: [] };
    if (this.#sets.size >= setsMax) this.#forget();
    this.#sets.set(key, set);
    return set;
  }

  #forget(): void {
    for (const set of this.#sets.values()) set.next.length = 0;
    this.#sets.clear();
  }
}
