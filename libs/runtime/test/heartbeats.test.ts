import { describe, expect, test } from "vitest";
import type { Clock } from "../src/clock.ts";
import { Heartbeats } from "../src/heartbeats.ts";

const sessionTimeoutMs = 10_000;

/** A clock that stands still until it is moved. */
class StillClock implements Clock {
  atMs = 1_000_000;
  nowMs(): number {
    return this.atMs + 500_000_000;
  }
  monotonicMs(): number {
    return this.atMs;
  }
  after(): () => void {
    throw new Error("nothing waits here");
  }
  soon(): void {
    throw new Error("nothing waits here");
  }
}

describe("heartbeats", () => {
  test("before the first join nothing is proven", () => {
    const heartbeats = new Heartbeats(new StillClock(), sessionTimeoutMs);
    expect(heartbeats.lately).toBe(false);
    expect(heartbeats.heardAtEpochMs).toBe(0);
  });

  test("a join proves that the group counted us in when we asked, not when the answer came", () => {
    const clock = new StillClock();
    const heartbeats = new Heartbeats(clock, sessionTimeoutMs);
    heartbeats.claimed();
    clock.atMs += 4000;
    heartbeats.joined();
    expect(heartbeats.ageMs).toBe(4000);
    expect(heartbeats.lately).toBe(true);
    clock.atMs += 1000;
    expect(heartbeats.lately).toBe(false);
  });

  test("an answer that waited for a stopped process proves only the moment of the answer before it", () => {
    const clock = new StillClock();
    const heartbeats = new Heartbeats(clock, sessionTimeoutMs);
    heartbeats.claimed();
    heartbeats.joined();
    clock.atMs += 1000;
    heartbeats.answered();
    const provenAtMs = heartbeats.heardAtEpochMs;
    // The next answer had arrived when the process was stopped for long, and is read only now.
    clock.atMs += 60_000;
    heartbeats.answered();
    expect(heartbeats.lately).toBe(false);
    expect(heartbeats.heardAtEpochMs).toBe(provenAtMs + 1000);
    clock.atMs += 1000;
    heartbeats.answered();
    expect(heartbeats.lately).toBe(true);
  });
});
