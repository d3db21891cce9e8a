import { createHook } from "node:async_hooks";
import type { FetchFailure } from "@sluice/records";
import { expect, test } from "vitest";
import { Breakers } from "../src/index.ts";
import type { BreakerOptions, FetchAnswer, GuardedAnswer } from "../src/index.ts";
import { clientFor, rawServer, requestOf, response } from "./loopback.ts";
import { failure, statusAnswer } from "./answers.ts";

/** A host of which the test says what it answers, at once or when told to. */
function hostOf(options: Partial<BreakerOptions> = {}) {
  const clock = { nowMs: 1_000_000 };
  const waiting: ((answer: FetchAnswer) => void)[] = [];
  let asked = 0;
  let next: FetchAnswer | "later" = statusAnswer(200);
  const fetch = (): Promise<FetchAnswer> => {
    asked += 1;
    return next === "later" ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(next);
  };
  const breakers = new Breakers({ fetch }, { nowMs: () => clock.nowMs, ...options });
  const request = requestOf("http://a.test/");
  const signal = new AbortController().signal;
  return {
    breakers,
    clock,
    waiting,
    get asked() {
      return asked;
    },
    ask(answer: FetchAnswer | "later", domain = "a.test"): Promise<GuardedAnswer> {
      next = answer;
      return breakers.fetch(domain, request, signal);
    },
  };
}

type Host = ReturnType<typeof hostOf>;

async function opened(options: Partial<BreakerOptions> = {}): Promise<Host> {
  const host = hostOf(options);
  for (let times = 0; times < 5; times += 1) await host.ask(statusAnswer(500));
  expect(host.breakers.state("a.test").state).toBe("open");
  return host;
}

test("opens with the fifth failure, says so once, and asks no more", async () => {
  const host = hostOf();
  const reports = [];
  for (let times = 0; times < 5; times += 1) reports.push((await host.ask(failure("connect"))).breaker);
  expect(reports.map((report) => [report.state, report.changed])).toEqual([
    ...Array.from({ length: 4 }, () => ["closed", false]),
    ["open", true],
  ]);
  expect(reports[4]?.retryAtMs).toBe(1_030_000);
  host.clock.nowMs += 29_999;
  const refused = await host.ask(statusAnswer(200));
  expect(refused.answer).toEqual({ kind: "breaker_open", retryAtMs: 1_030_000 });
  expect(refused.breaker).toEqual({ state: "open", changed: false, retryAtMs: 1_030_000 });
  expect(host.asked).toBe(5);
});

test("are counted by state, and no more of them than the limit", async () => {
  const host = await opened({ breakersMax: 2 });
  await host.ask(statusAnswer(200), "b.test");
  expect(host.breakers.counts()).toEqual({ closed: 1, open: 1, half_open: 0 });
  await host.ask(statusAnswer(200), "c.test");
  expect(host.breakers.counts()).toEqual({ closed: 2, open: 0, half_open: 0 });
  expect(host.breakers.limit).toBe(2);
});

test("stays closed below five failures, and below a share of one half", async () => {
  const few = hostOf();
  for (let times = 0; times < 4; times += 1) await few.ask(statusAnswer(503));
  expect(few.breakers.state("a.test").state).toBe("closed");
  const mixed = hostOf();
  for (let times = 0; times < 6; times += 1) await mixed.ask(statusAnswer(200));
  for (let times = 0; times < 5; times += 1) await mixed.ask(statusAnswer(503));
  expect(mixed.breakers.state("a.test").state).toBe("closed");
  expect((await mixed.ask(statusAnswer(503))).breaker).toMatchObject({ state: "open", changed: true });
});

const failing: FetchFailure[] = [
  ...([
    "dns",
    "connect",
    "tls",
    "timeout_connect",
    "timeout_headers",
    "timeout_body",
    "timeout_total",
    "reset",
  ] as const),
];
const harmless: FetchFailure[] = [
  "protocol",
  "too_large",
  "decode",
  "address_refused",
  "cancelled",
  "unknown",
];

test.each(failing)("%s counts as a failure", async (category) => {
  const host = hostOf();
  for (let times = 0; times < 5; times += 1) await host.ask(failure(category));
  expect(host.breakers.state("a.test").state).toBe("open");
});

test.each([...harmless.map(failure), statusAnswer(301), statusAnswer(404), statusAnswer(429)])(
  "does not open for %o",
  async (answer) => {
    const host = hostOf();
    for (let times = 0; times < 50; times += 1) expect((await host.ask(answer)).answer).toBe(answer);
    expect(host.breakers.state("a.test")).toEqual({ state: "closed", changed: false, retryAtMs: null });
  },
);

test("failures leave the window with time", async () => {
  const host = hostOf({ windowMs: 100_000 });
  for (let times = 0; times < 4; times += 1) await host.ask(statusAnswer(500));
  host.clock.nowMs += 100_000;
  for (let times = 0; times < 4; times += 1) await host.ask(statusAnswer(500));
  expect(host.breakers.state("a.test").state).toBe("closed");
  expect((await host.ask(statusAnswer(500))).breaker.state).toBe("open");
});

test("failures spread over the window still count together", async () => {
  const host = hostOf({ windowMs: 100_000 });
  for (let times = 0; times < 5; times += 1) {
    await host.ask(statusAnswer(500));
    host.clock.nowMs += 20_000;
  }
  expect(host.breakers.state("a.test").state).toBe("open");
});

test("lets one probe through when the time has come and holds the others meanwhile", async () => {
  const host = await opened();
  host.clock.nowMs += 30_000;
  const probe = host.ask("later");
  const others = await Promise.all(Array.from({ length: 20 }, () => host.ask("later")));
  expect(host.asked).toBe(6);
  for (const { answer, breaker } of others) {
    expect(answer).toEqual({ kind: "breaker_open", retryAtMs: host.clock.nowMs + 5_000 });
    expect(breaker).toMatchObject({ state: "half_open", changed: false });
  }
  host.waiting[0]?.(statusAnswer(200));
  expect((await probe).breaker).toEqual({ state: "closed", changed: true, retryAtMs: null });
  expect((await host.ask(statusAnswer(200))).answer.kind).toBe("response");
});

test("a failed probe opens again for a full time; what failed before a good probe is forgotten", async () => {
  const host = await opened();
  host.clock.nowMs += 30_000;
  expect((await host.ask(failure("reset"))).breaker).toEqual({
    state: "open",
    changed: true,
    retryAtMs: host.clock.nowMs + 30_000,
  });
  expect((await host.ask(statusAnswer(200))).answer.kind).toBe("breaker_open");
  host.clock.nowMs += 30_000;
  expect((await host.ask(statusAnswer(404))).breaker).toMatchObject({ state: "closed", changed: true });
  for (let times = 0; times < 4; times += 1) await host.ask(statusAnswer(500));
  expect(host.breakers.state("a.test").state).toBe("closed");
});

test("a probe that was cancelled tells nothing: the next fetch is the probe", async () => {
  const host = await opened();
  host.clock.nowMs += 30_000;
  expect((await host.ask(failure("cancelled"))).breaker).toMatchObject({ state: "half_open", changed: true });
  const probe = host.ask("later");
  expect((await host.ask("later")).answer.kind).toBe("breaker_open");
  host.waiting[0]?.(statusAnswer(200));
  expect((await probe).breaker).toMatchObject({ state: "closed", changed: true });
});

test("fetches that began before the breaker opened move nothing when they end", async () => {
  const host = hostOf();
  const early = [host.ask("later"), host.ask("later")];
  for (let times = 0; times < 5; times += 1) await host.ask(failure("connect"));
  host.waiting[0]?.(statusAnswer(200));
  expect((await early[0])?.breaker).toMatchObject({ state: "open", changed: false });
  host.clock.nowMs += 30_000;
  const probe = host.ask("later");
  host.waiting[1]?.(failure("connect"));
  expect((await early[1])?.breaker).toMatchObject({ state: "half_open", changed: false });
  host.waiting[2]?.(statusAnswer(200));
  expect((await probe).breaker).toMatchObject({ state: "closed", changed: true });
});

test("each domain has a breaker of its own, and reset forgets one", async () => {
  const host = await opened();
  expect((await host.ask(statusAnswer(200), "b.test")).answer.kind).toBe("response");
  host.breakers.reset("a.test");
  expect((await host.ask(statusAnswer(200))).answer.kind).toBe("response");
  expect(host.breakers.state("never-seen.test").state).toBe("closed");
});

test("at the limit drops the breaker used longest ago", async () => {
  const host = hostOf({ breakersMax: 3 });
  for (const domain of ["a", "b", "c"])
    for (let n = 0; n < 5; n += 1) await host.ask(statusAnswer(500), domain);
  await host.ask(statusAnswer(500), "a");
  await host.ask(statusAnswer(200), "d");
  expect(host.breakers.size).toBe(3);
  expect(["a", "b", "c", "d"].map((domain) => host.breakers.state(domain).state)).toEqual([
    "open",
    "closed",
    "open",
    "closed",
  ]);
});

test("ten thousand breakers, some open, start no timer", async () => {
  const host = hostOf();
  let timers = 0;
  const hook = createHook({ init: (_id, type) => void (timers += type === "Timeout" ? 1 : 0) }).enable();
  for (let n = 0; n < 10_000; n += 1) await host.ask(statusAnswer(200), `host-${n}`);
  for (let n = 0; n < 500; n += 1) await host.ask(statusAnswer(500), `host-${n % 100}`);
  expect([host.breakers.size, host.breakers.state("host-7").state]).toEqual([10_000, "open"]);
  host.clock.nowMs += 30_000;
  for (let n = 0; n < 100; n += 1) await host.ask(statusAnswer(n % 2 === 0 ? 200 : 500), `host-${n}`);
  hook.disable();
  expect([host.breakers.state("host-8").state, host.breakers.state("host-9").state]).toEqual([
    "closed",
    "open",
  ]);
  expect(timers).toBe(0);
});

test("around the real client: opens on 500s of a real server and passes its answers through", async () => {
  await using site = await rawServer((socket) => socket.write(response("broken", [], "500 Oops")));
  await using client = clientFor();
  const breakers = new Breakers(client, { nowMs: () => 0 });
  const ask = (): Promise<GuardedAnswer> =>
    breakers.fetch("127.0.0.1", requestOf(site.origin), new AbortController().signal);
  for (let times = 0; times < 5; times += 1)
    expect((await ask()).answer).toMatchObject({ kind: "response", status: 500 });
  expect((await ask()).answer.kind).toBe("breaker_open");
  expect(site.requests.length).toBe(5);
});
