/** A process's place, and how it may be made to die. */
import type { ServiceName } from "./fault-plan.ts";
import type { Life } from "./life.ts";
import type { LocalState } from "./local-state.ts";

/** A place where a process runs: it keeps its name and its disk when the process is started again. */
export interface Instance {
  readonly service: ServiceName;
  readonly name: string;
  stores: LocalState;
  life: Life | null;
  /** It was scaled in: nothing starts it again. */
  isGone: boolean;
  /** How its next life ends. */
  armed: Death | null;
}

/** Of a process that dies of what it does: with the so many-th effect of the kind, or of any. */
export interface Death {
  readonly effects: number;
  readonly effect: string | null;
  readonly downMs: number;
  readonly loseState: boolean;
}

/** What a process hardly does but when it has joined its group: one that runs may never come to it again. */
export const atItsStart: ReadonlySet<string | null> = new Set(["fence", "after_assignment_before_fence"]);
