/** Time as the runtime sees it. Injected, so that a simulation can own it. */
export interface Clock {
  /**
   * Epoch milliseconds for records and deadlines, whole ones that are over. Within one process it never jumps: it is the wall clock
   * at the start plus monotonic time, so a clock that is set during a crawl moves no politeness deadline.
   */
  nowMs(): number;
  /** Milliseconds of a clock that only runs forward, also while the process is stopped. */
  monotonicMs(): number;
  /** Runs `task` once after the delay; returns a function that cancels it. */
  after(delayMs: number, task: () => void): () => void;
  /** Runs `task` soon, after I/O that is waiting now. */
  soon(task: () => void): void;
}

export function systemClock(): Clock {
  const wallAtStartMs = Date.now();
  const monotonicAtStartMs = performance.now();
  return {
    nowMs: () => Math.floor(wallAtStartMs + (performance.now() - monotonicAtStartMs)),
    monotonicMs: () => performance.now(),
    after: (delayMs, task) => {
      // Longer timers overflow in Node and fire at once; whoever asked for one looks again when it fires.
      const timer = setTimeout(task, Math.min(Math.max(0, delayMs), 2_147_483_000));
      return () => clearTimeout(timer);
    },
    soon: (task) => {
      setImmediate(task);
    },
  };
}
