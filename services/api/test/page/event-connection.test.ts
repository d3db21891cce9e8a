import { describe, expect, it } from "vitest";
import { silenceMaxMs, type ConnectionState } from "../../page/event-connection.ts";
import { JobFollower } from "../../page/job-follower.ts";
import type { JobRow } from "../../page/job-list.ts";

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A server and a clock in the test's hand. */
class World {
  readonly lastIds: string[] = [];
  readonly states: ConnectionState[] = [];
  readonly signals: AbortSignal[] = [];
  readonly follower: JobFollower;
  /** Answers of the next requests. */
  readonly answers: (() => Response | Promise<Response>)[] = [];
  #nowMs = 0;
  #timers: Timer[] = [];

  constructor() {
    this.follower = new JobFollower(
      "docs",
      {
        open: async (lastId, signal) => {
          this.lastIds.push(lastId);
          this.signals.push(signal);
          const answer = this.answers.shift();
          if (answer === undefined) return new Promise(() => undefined);
          return answer();
        },
        after: (ms, run) => {
          const timer = { atMs: this.#nowMs + ms, run };
          this.#timers.push(timer);
          return () => {
            this.#timers = this.#timers.filter((each) => each !== timer);
          };
        },
        random: () => 0.999,
      },
      () => {
        if (this.states.at(-1) !== this.follower.stream) this.states.push(this.follower.stream);
      },
    );
  }

  get timersCount(): number {
    return this.#timers.length;
  }

  get last(): ConnectionState | undefined {
    return this.states.at(-1);
  }

  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const timer of this.#timers.filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#timers = this.#timers.filter((each) => each !== timer);
      timer.run();
    }
    await settled();
  }
}

/** Everything that has been promised and needs no clock has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An open stream and what writes to it. */
function streamOf(signal: () => AbortSignal | undefined): {
  readonly answer: () => Response;
  readonly write: (text: string) => Promise<void>;
  readonly end: () => Promise<void>;
  readonly cut: () => Promise<void>;
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return {
    answer: () => {
      signal()?.addEventListener("abort", () => controller?.error(signal()?.reason));
      return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    },
    write: (text) => (controller?.enqueue(new TextEncoder().encode(text)), settled()),
    end: () => (controller?.close(), settled()),
    cut: () => (controller?.error(new TypeError("network error")), settled()),
  };
}

const base = { job: "docs", run: 1, atMs: 1000 };
const page = (offset: number, run = 1): string =>
  `id: 0:${offset}\nevent: url_crawled\ndata: ${JSON.stringify({ ...base, run, type: "url_crawled", url: `https://a.example/${offset}`, status: 200, depth: 0, outcome: "ok", title: null, durationMs: 1 })}\n\n`;
const end = (offset: number): string =>
  `id: 0:${offset}\nevent: job_completed\ndata: ${JSON.stringify({ ...base, type: "job_completed", admitted: 1, done: 1, failed: 0, skipped: 0, durationMs: 1, finishReason: "completed" })}\n\n`;
const problem =
  (status: number, detail: string, headers: Record<string, string> = {}) =>
  () =>
    new Response(JSON.stringify({ detail }), { status, headers });

describe("the connection to a job's events", () => {
  it("comes back after a loss with the id of the last event, and later with each failure", async () => {
    const world = new World();
    const stream = streamOf(() => world.signals.at(-1));
    world.answers.push(stream.answer);
    world.follower.open();
    await settled();
    expect(world.last).toEqual({ kind: "live" });
    await stream.write(`retry: 3000\n\n${page(4)}${page(5)}id: 0:6\nevent: url_cr`);
    await stream.cut();
    expect(world.last).toEqual({ kind: "lost", reason: "network error", retryInMs: 2999 });
    const waits: number[] = [];
    for (let failure = 0; failure < 5; failure += 1) {
      world.answers.push(() => Promise.reject(new TypeError("refused")));
      await world.pass(world.last?.kind === "lost" ? world.last.retryInMs : 0);
      waits.push(world.last?.kind === "lost" ? world.last.retryInMs : -1);
    }
    expect(waits).toEqual([5997, 11_994, 23_988, 29_985, 29_985]);
    const again = streamOf(() => world.signals.at(-1));
    world.answers.push(again.answer);
    await world.pass(29_985);
    await again.write(page(6));
    expect(world.lastIds).toEqual(["", ...Array.from({ length: 6 }, () => "0:5")]);
    expect(world.follower.state.pages.map(({ url }) => url.at(-1))).toEqual(["6", "5", "4"]);
    await again.end();
    expect(world.last).toMatchObject({ kind: "lost", retryInMs: 2999 });
  });

  it("takes a silence of 45 s for a loss; a comment is no silence", async () => {
    const world = new World();
    const stream = streamOf(() => world.signals.at(-1));
    world.answers.push(stream.answer);
    world.follower.open();
    await settled();
    for (let beat = 0; beat < 4; beat += 1) {
      await world.pass(silenceMaxMs - 1);
      await stream.write(": still here\n\n");
      expect(world.last).toEqual({ kind: "live" });
    }
    await world.pass(silenceMaxMs);
    expect(world.last).toMatchObject({ kind: "lost", reason: "nothing has come for 45 s" });
    expect(world.signals[0]?.aborted).toBe(true);
  });

  it("does not wait for ever for an answer either", async () => {
    const world = new World();
    world.answers.push(
      () =>
        new Promise((_, reject) =>
          world.signals.at(-1)?.addEventListener("abort", () => reject(new Error("aborted"))),
        ),
    );
    world.follower.open();
    await world.pass(silenceMaxMs);
    expect(world.last).toMatchObject({ kind: "lost", reason: "nothing has come for 45 s" });
  });

  it("ends after the last event, and with an answer that says that nothing comes", async () => {
    const world = new World();
    const stream = streamOf(() => world.signals.at(-1));
    world.answers.push(stream.answer);
    world.follower.open();
    await settled();
    await stream.write(page(1) + end(2));
    await stream.end();
    expect(world.last).toEqual({ kind: "ended" });
    expect(world.timersCount).toBe(0);
    const other = new World();
    other.answers.push(() => new Response(null, { status: 204 }));
    other.follower.open();
    await settled();
    expect(other.last).toEqual({ kind: "ended" });
  });

  it("asks a server again that is overloaded, as late as it wants, and not one that refuses", async () => {
    const busy = new World();
    busy.answers.push(problem(429, "8 streams are open already.", { "retry-after": "5" }));
    busy.follower.open();
    await settled();
    expect(busy.last).toEqual({ kind: "lost", reason: "8 streams are open already.", retryInMs: 5000 });
    for (const status of [401, 403, 404]) {
      const world = new World();
      world.answers.push(problem(status, "no"));
      world.follower.open();
      await settled();
      expect(world.last).toEqual({ kind: "refused", status, detail: "no" });
      expect(world.timersCount).toBe(0);
    }
    const proxy = new World();
    proxy.answers.push(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
    proxy.follower.open();
    await settled();
    expect(proxy.last).toMatchObject({ kind: "lost", reason: "the answer is no event stream" });
  });

  it("begins from the start where the server does not take its last id", async () => {
    const world = new World();
    const stream = streamOf(() => world.signals.at(-1));
    world.answers.push(stream.answer, problem(400, "Last-Event-ID: is not the id of an event of this job"));
    world.follower.open();
    await settled();
    await stream.write(page(1));
    await stream.cut();
    await world.pass(1000);
    expect(world.last).toMatchObject({ kind: "lost", reason: expect.stringContaining("Last-Event-ID") });
    expect(world.follower.state.pagesCount).toBe(0);
    await world.pass(10_000);
    expect(world.lastIds).toEqual(["", "0:1", ""]);
  });

  it("follows the new run when the old one was replaced or had ended", async () => {
    const world = new World();
    const stream = streamOf(() => world.signals.at(-1));
    const next = streamOf(() => world.signals.at(-1));
    world.answers.push(stream.answer, next.answer);
    world.follower.open();
    await settled();
    await stream.write(page(1));
    await stream.write(
      `event: gap\ndata: ${JSON.stringify({ ...base, type: "gap", reason: "superseded", from: 2, to: 2 })}\n\n`,
    );
    await next.write(page(2, 2));
    expect(world.lastIds).toEqual(["", ""]);
    expect(world.follower.state).toMatchObject({ run: 2, pagesCount: 1 });

    const ended = new World();
    ended.answers.push(() => new Response(null, { status: 204 }));
    ended.follower.open();
    await settled();
    ended.follower.see({ run: 2, status: null } as JobRow);
    await settled();
    expect(ended.lastIds).toEqual(["", ""]);
  });

  it("goes on at once when told to, and does nothing more when closed", async () => {
    const world = new World();
    world.answers.push(() => Promise.reject(new TypeError("refused")));
    world.follower.open();
    await settled();
    world.follower.retryNow();
    await settled();
    expect(world.lastIds).toHaveLength(2);
    world.follower.retryNow();
    expect(world.lastIds).toHaveLength(2);
    world.follower.close();
    expect(world.timersCount).toBe(0);
    expect(world.signals.every(({ aborted }) => aborted)).toBe(true);
    await world.pass(100_000);
    expect(world.lastIds).toHaveLength(2);
  });
});
