import type { Promptness } from "@sluice/topology";
import { expect, test } from "vitest";
import { CallQueue, type QueuedCall } from "../src/call-queue.ts";
import { defaultLimits } from "../src/limits.ts";

const delayMs = 10_000;
const answerMs = 20;
/** What a host that never says a word costs until its deadline is over, and until it is asked again. */
const deadlineMs = 30_000;
const againMs = 5000;
const requestsPerHost = 5;
const hosts = 1000;

/** Milliseconds until the last good host has had its last request answered, on a clock that is stepped by 10 ms. */
function timeOf(tarpits: number, remembers: boolean): number {
  const { callsMax, slowCallsAfterMs, unknownCallsAfterMs } = defaultLimits;
  const queue = new CallQueue<string>(callsMax, {
    afterMs: slowCallsAfterMs,
    unknownAfterMs: remembers ? unknownCallsAfterMs : slowCallsAfterMs,
    max: 2000,
  });
  const events = new Map<number, (() => void)[]>();
  const at = (ms: number, what: () => void): void => {
    events.set(ms, [...(events.get(ms) ?? []), what]);
  };
  let calls = 0;
  let left = hosts;
  const push = (lane: string, promptness: Promptness): void => {
    calls += 1;
    const known = remembers ? promptness : "unknown";
    const controller = new AbortController();
    const callId = String(calls);
    queue.push({ task: 0, epoch: 1, lane, callId, request: lane, promptness: known, controller });
  };
  const asked = new Map<string, number>();
  for (let n = 0; n < tarpits; n += 1) push(`silent${n}`, "unknown");
  for (let n = 0; n < hosts; n += 1) push(`good${n}`, "unknown");
  const settle = (call: QueuedCall<string>, nowMs: number): void => {
    queue.end(call);
    if (call.lane.startsWith("silent")) return at(nowMs + againMs, () => push(call.lane, "slow"));
    const count = (asked.get(call.lane) ?? 0) + 1;
    asked.set(call.lane, count);
    if (count === requestsPerHost) left -= 1;
    else at(nowMs + delayMs, () => push(call.lane, "prompt"));
  };
  for (let nowMs = 0; ; nowMs += 10) {
    for (const what of events.get(nowMs) ?? []) what();
    events.delete(nowMs);
    if (left === 0) return nowMs;
    for (let call = queue.begin(nowMs); call !== null; call = queue.begin(nowMs)) {
      const begun = call;
      const endMs = nowMs + (begun.lane.startsWith("silent") ? deadlineMs : answerMs);
      at(endMs, () => settle(begun, endMs));
    }
  }
}

test("beside a thousand hosts that never answer, a thousand others keep 95 % of their pace; without memory they would not", () => {
  const aloneMs = timeOf(0, true);
  expect(aloneMs / timeOf(1000, true)).toBeGreaterThan(0.95);
  expect(timeOf(0, false) / timeOf(1000, false)).toBeLessThan(0.8);
});
