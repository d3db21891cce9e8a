import { expect, test } from "vitest";
import type { FetchCall } from "../src/calls.ts";
import { pastTheirInstant } from "../src/whole-instants.ts";
import { noWait } from "./answers.ts";

const call: FetchCall = {
  kind: "robots",
  domain: "a.example",
  url: "http://a.example/robots.txt",
  totalTimeoutMs: 1000,
  secrets: [],
  policy: {},
  ...noWait,
};

const signal = new AbortController().signal;

test("a request that has waited for its host lets the millisecond pass that it has waited for", async () => {
  const perform = pastTheirInstant(() => Promise.resolve(performance.now()));
  for (let turn = 0; turn < 20; turn += 1) {
    const fromMs = performance.now();
    const madeAtMs = await perform({ ...call, wait: { ...call.wait, waitMs: 1000 } }, signal);
    expect(madeAtMs - fromMs).toBeGreaterThanOrEqual(1);
  }
});

test("a request that need not wait is made at once", () => {
  let isMade = false;
  void pastTheirInstant(() => {
    isMade = true;
    return Promise.resolve();
  })(call, signal);
  expect(isMade).toBe(true);
});
