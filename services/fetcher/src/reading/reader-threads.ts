/** Threads that read bodies, started when they are needed, ended when they take too long. */
import { Worker } from "node:worker_threads";
import type { ReadJob, ReadPart } from "./read-job.ts";
import type { ThreadAnswer } from "./reader-thread.ts";

export interface ThreadLimits {
  readonly threadsMax: number;
  /** For one job, from when a thread that stands ready has it. */
  readonly timeMaxMs: number;
  /** JavaScript heap of one thread. */
  readonly heapMbMax: number;
}

interface Task {
  readonly job: ReadJob;
  readonly onPart: (part: ReadPart) => void;
  /** Null where all was read, else why not. */
  readonly settle: (fault: string | null) => void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | null;
  timer: NodeJS.Timeout | null;
  isReady: boolean;
}

/** A thread has to load its code; on a machine that does much else that takes its time. */
const startMs = 60_000;
/** A thread without work is ended after this time, with its memory. */
const idleMs = 60_000;

/**
 * What a job does wrong ends its thread, never the process: one that is over its time is terminated, one that is out of
 * memory ends by itself, and the next job gets a new one. Waiting jobs need no limit of their own: each is a request that
 * holds one of the process's slots until it is read.
 */
export class ReaderThreads {
  readonly #limits: ThreadLimits;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Task[] = [];
  #isClosed = false;

  constructor(limits: ThreadLimits) {
    this.#limits = limits;
  }

  get load(): { readonly reading: number; readonly waiting: number } {
    const reading = [...this.#threads].filter(({ task }) => task !== null).length;
    return { reading, waiting: this.#waiting.length };
  }

  /** Resolves to what went wrong, null where nothing did. Takes the body's memory over: it is empty afterwards. */
  read(job: ReadJob, onPart: (part: ReadPart) => void): Promise<string | null> {
    if (this.#isClosed) return Promise.resolve("the process is stopping");
    return new Promise((settle) => {
      this.#waiting.push({ job, onPart, settle });
      this.#pump();
    });
  }

  /** Jobs that are not read yet are answered with a fault. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { settle } of this.#waiting.splice(0)) settle("the process is stopping");
    await Promise.all([...this.#threads].map((thread) => this.#end(thread, "the process is stopping")));
  }

  #pump(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#free();
      const task = thread === null ? undefined : this.#waiting.shift();
      if (thread === null || task === undefined) return;
      this.#give(thread, task);
    }
  }

  #free(): Thread | null {
    for (const thread of this.#threads) if (thread.task === null) return thread;
    return this.#threads.size < this.#limits.threadsMax ? this.#start() : null;
  }

  #start(): Thread {
    const worker = new Worker(new URL("./reader-thread.ts", import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.heapMbMax },
    });
    const thread: Thread = { worker, task: null, timer: null, isReady: false };
    this.#threads.add(thread);
    worker.on("message", (told: ThreadAnswer) => {
      switch (told.kind) {
        case "ready":
          thread.isReady = true;
          if (thread.task !== null) this.#hand(thread, thread.task);
          break;
        case "part":
          thread.task?.onPart(told.part);
          break;
        case "done":
          this.#done(thread, told.error);
          break;
        default:
          told satisfies never;
      }
    });
    worker.on("error", (error: Error) => void this.#end(thread, error.message));
    worker.on("exit", () => void this.#end(thread, "the reading thread ended"));
    return thread;
  }

  #give(thread: Thread, task: Task): void {
    thread.task = task;
    thread.worker.ref();
    if (thread.isReady) this.#hand(thread, task);
    else this.#arm(thread, startMs, `no thread for reading within ${startMs} ms`);
  }

  #hand(thread: Thread, task: Task): void {
    const { timeMaxMs } = this.#limits;
    this.#arm(thread, timeMaxMs, `not read within ${timeMaxMs} ms`);
    const { body } = task.job;
    // A view of a part of a buffer is copied: the rest of it is somebody else's.
    const isWhole = body.byteLength === body.buffer.byteLength;
    thread.worker.postMessage(task.job, isWhole ? [body.buffer] : []);
  }

  #done(thread: Thread, fault: string | null): void {
    const task = thread.task;
    thread.task = null;
    this.#arm(thread, idleMs, "nothing to read");
    // An idle thread keeps no process alive.
    thread.timer?.unref();
    thread.worker.unref();
    task?.settle(fault);
    this.#pump();
  }

  #arm(thread: Thread, delayMs: number, fault: string): void {
    if (thread.timer !== null) clearTimeout(thread.timer);
    thread.timer = setTimeout(() => void this.#end(thread, fault), delayMs);
  }

  async #end(thread: Thread, fault: string): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    if (thread.timer !== null) clearTimeout(thread.timer);
    const task = thread.task;
    thread.task = null;
    const ended = thread.worker.terminate();
    task?.settle(fault);
    if (!this.#isClosed) this.#pump();
    await ended;
  }
}
