import { hostSchema, type Host } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { noFigures } from "../src/job-figures.ts";
import { PageRate } from "../src/page-rate.ts";
import { ProgressDisplay, type Screen } from "../src/progress-display.ts";
import { progressLine, type ProgressView } from "../src/progress-line.ts";
import { HostBook } from "../src/waiting-hosts.ts";
import { FakeClock } from "./fake-clock.ts";

const nobody = { count: 0, reasons: [], longest: null };
const view = (more: Partial<ProgressView> = {}): ProgressView => ({
  figures: { ...noFigures, admitted: 160, done: 35, failed: 2, waiting: 120, inFlight: 3 },
  maxPages: null,
  pagesPerSecond: 4.23,
  hosts: nobody,
  delayMs: 1000,
  phase: null,
  elapsedMs: 65_400,
  ...more,
});

describe("the progress line", () => {
  it("tells pages, rate, queued, in flight and failed", () => {
    expect(progressLine(view({ phase: "starting services" }))).toBe(
      "1:05  37 pages  4.2/s  120 queued  3 in flight  2 failed  starting services",
    );
  });

  it("tells the page limit", () => {
    expect(progressLine(view({ maxPages: 100 }))).toContain("  37/100 pages  ");
  });

  it("tells why hosts wait, and which waits longest", () => {
    const hosts = {
      count: 5,
      reasons: [
        { reason: "retry_after" as const, count: 3 },
        { reason: "breaker" as const, count: 2 },
      ],
      longest: { domain: "slow.example", waitMs: 41_200 },
    };
    expect(progressLine(view({ hosts }))).toMatch(
      /  5 hosts wait: 3 Retry-After, 2 circuit breaker; longest slow\.example, 42 s more$/,
    );
  });

  it("says that the delay holds what waits where nothing else does, and nothing where nothing waits", () => {
    expect(progressLine(view())).toMatch(/waiting: delay between requests to a host$/);
    expect(progressLine(view({ delayMs: 0, pagesPerSecond: 0 }))).toMatch(
      /waiting: retries that are not due yet$/,
    );
    expect(progressLine(view({ delayMs: 0 }))).toMatch(/2 failed$/);
    expect(progressLine(view({ figures: { ...noFigures, admitted: 1, inFlight: 1 } }))).toMatch(/0 failed$/);
  });

  it("counts hours", () => {
    expect(progressLine(view({ elapsedMs: 3_723_000 }))).toMatch(/^1:02:03 /);
  });
});

describe("the hosts that wait", () => {
  const host = (domain: string, hold: Host["hold"], holdUntilMs: number | null): Host =>
    hostSchema.parse({
      domain,
      hold,
      holdUntilMs,
      delayMs: 1000,
      crawlDelayMs: null,
      failuresInRow: 0,
      updatedAtMs: 0,
    });

  it("are those held at that time, the latest word counting", () => {
    const book = new HostBook();
    book.fold("a", host("a", "retry_after", 500));
    book.fold("b", host("b", "breaker", 900));
    book.fold("c", host("c", "retry_after", 100));
    book.fold("d", host("d", "crawl_delay", null));
    book.fold("e", host("e", "back_off", 9999));
    book.fold("e", host("e", "none", null));
    book.fold("f", host("f", "back_off", 9999));
    book.fold("f", null);
    expect(book.waiting(200)).toEqual({
      count: 3,
      reasons: [
        { reason: "retry_after", count: 1 },
        { reason: "breaker", count: 1 },
        { reason: "crawl_delay", count: 1 },
      ],
      longest: { domain: "b", waitMs: 700 },
    });
    expect(book.waiting(900).count).toBe(1);
  });
});

describe("the page rate", () => {
  it("is that of the last ten seconds", () => {
    const rate = new PageRate();
    for (let second = 0; second <= 30; second += 1)
      rate.note(second * 1000, second <= 20 ? second * 7 : 140 + (second - 20) * 2);
    expect(rate.perSecond()).toBe(2);
  });

  it("is zero before there is anything to compare", () => {
    const rate = new PageRate();
    expect(rate.perSecond()).toBe(0);
    rate.note(5, 100);
    expect(rate.perSecond()).toBe(0);
  });
});

describe("the display", () => {
  function display(more: Partial<Screen>) {
    const clock = new FakeClock();
    let written = "";
    let line = "line 1";
    const screen: Screen = {
      isTTY: false,
      columns: 80,
      colour: false,
      write: (text) => void (written += text),
      ...more,
    };
    return {
      clock,
      shown: new ProgressDisplay(screen, clock, () => line),
      set: (text: string) => void (line = text),
      take: () => {
        const taken = written;
        written = "";
        return taken;
      },
    };
  }

  it("writes a line every five seconds where there is no terminal", async () => {
    const { clock, shown, take } = display({});
    shown.start();
    await clock.advance(4999);
    expect(take()).toBe("");
    await clock.advance(5001);
    expect(take()).toBe("line 1\nline 1\n");
    shown.stop();
    await clock.advance(60_000);
    expect(take()).toBe("");
  });

  it("redraws one line each second on a terminal and keeps messages above it", async () => {
    const { clock, shown, set, take } = display({ isTTY: true });
    shown.start();
    expect(take()).toBe("\r\u001b[2Kline 1");
    set("line 2");
    await clock.advance(1000);
    expect(take()).toBe("\r\u001b[2Kline 2");
    shown.say("news");
    expect(take()).toBe("\r\u001b[2Knews\n\r\u001b[2Kline 2");
    shown.stop();
    expect(take()).toBe("\r\u001b[2K");
  });

  it("never writes beyond the width of the terminal, which would scroll", () => {
    const { shown, set, take } = display({ isTTY: true, columns: 40 });
    set("x".repeat(200));
    shown.start();
    expect(take()).toBe(`\r\u001b[2K${"x".repeat(39)}`);
    shown.stop();
  });

  it("colours only where colours may be", () => {
    const { shown, take } = display({ isTTY: true, colour: true });
    shown.start();
    expect(take()).toBe("\r\u001b[2K\u001b[2mline 1\u001b[22m");
    shown.stop();
  });
});
