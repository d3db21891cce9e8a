import type { Effects } from "./effects.ts";
import type { FrontierState } from "./state.ts";

/** Stores a value under a key, or with null nothing; reads of this step and all after it see it. */
export function put(state: FrontierState, out: Effects, key: string, value: unknown): void {
  state.entries.put(key, value);
  out.push({ kind: "put", key, value });
}
