import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OwnLateness } from "../src/own-lateness.ts";

beforeEach(() => void vi.useFakeTimers());
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
  nowMs = 0;
  const lateness = new OwnLateness(() => nowMs);
  for (let turn = 0; turn < 100; turn += 1) {
    nowMs += 24;
    vi.advanceTimersByTime(20);
  }
  expect(lateness.totalMs).toBe(0);
  lateness.close();
});
