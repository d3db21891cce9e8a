import { afterEach, expect, test, vi } from "vitest";
import { OwnLateness } from "../src/own-lateness.ts";
import { clientFor, fetchOf, rawServer, responded, response } from "./loopback.ts";

afterEach(() => void vi.useRealTimers());

let nowMs = 0;

/** Time passes, and the event loop gets to its timers only at the end of it. */
function blockFor(ms: number): void {
  nowMs += ms;
}

function runFor(ms: number): void {
  for (let passed = 0; passed < ms; passed += 20) {
    nowMs += 20;
    vi.advanceTimersByTime(20);
  }
}

test("the lateness of the event loop is what it had to wait for, and grows with each wait", () => {
  vi.useFakeTimers();
  nowMs = 0;
  const lateness = new OwnLateness(() => nowMs);
  runFor(1000);
  expect(lateness.totalMs).toBe(0);
  blockFor(500);
  // Before its timer has fired: what is read from a socket now has waited too.
  expect(lateness.totalMs).toBe(480);
  vi.advanceTimersByTime(20);
  expect(lateness.totalMs).toBe(480);
  runFor(1000);
  expect(lateness.totalMs).toBe(480);
  blockFor(120);
  vi.advanceTimersByTime(20);
  expect(lateness.totalMs).toBe(580);
  lateness.close();
});

test("timers that fire a few milliseconds late, as they always do, are not lateness", () => {
  vi.useFakeTimers();
  nowMs = 0;
  const lateness = new OwnLateness(() => nowMs);
  for (let turn = 0; turn < 100; turn += 1) {
    nowMs += 24;
    vi.advanceTimersByTime(20);
  }
  expect(lateness.totalMs).toBe(0);
  lateness.close();
});

test("a host is not taken for slow where this process itself was late to look", async () => {
  let asked = 0;
  await using site = await rawServer((socket) => {
    asked += 1;
    socket.write(response("hi", [], "200 OK"));
    if (asked > 1) return;
    // The answer has been sent, and nobody of this process comes to read it.
    const untilMs = performance.now() + 400;
    while (performance.now() < untilMs) void untilMs;
  });
  await using client = clientFor();
  const late = responded(await fetchOf(client, `${site.origin}/late`));
  expect(late.durationMs).toBeGreaterThanOrEqual(400);
  expect(late.ttfbMs).toBeLessThan(late.durationMs - 300);
});
