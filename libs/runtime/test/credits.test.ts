import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CreditWindow, DemandTotal } from "../src/credits.ts";

/** Releases as much as is asked for, under ids that count on from `first`. */
function fill(window: CreditWindow, first = 0): number {
  const asked = window.demand();
  for (let id = first; id < first + asked; id++) window.release(String(id), 1000);
  return asked;
}

describe("credit window", () => {
  test("asks for 100, then for nothing until 50 are outstanding, then for 50", () => {
    const window = new CreditWindow();
    expect(fill(window)).toBe(100);
    for (let id = 0; id < 49; id++) window.settle(String(id));
    expect([window.outstanding, window.demand()]).toEqual([51, 0]);
    window.settle("49");
    expect([window.outstanding, window.demand()]).toEqual([50, 50]);
    window.release("100", 1000);
    expect(window.demand()).toBe(49);
  });

  test("asks for the rest where it was never filled", () => {
    const window = new CreditWindow({ low: 1, high: 10 });
    for (const id of ["a", "b", "c", "d"]) window.release(id, 0);
    window.settle("a");
    expect(window.demand()).toBe(7);
  });

  test("an outcome that is late, doubled or unknown adds no credit", () => {
    const window = new CreditWindow({ high: 2 });
    window.release("a", 0);
    window.release("b", 0);
    expect([window.settle("a"), window.settle("a"), window.settle("x")]).toEqual([true, false, false]);
    expect([window.outstanding, window.demand()]).toEqual([1, 1]);
  });

  test("a release without demand, or of an id that is outstanding, throws", () => {
    const window = new CreditWindow({ high: 2 });
    window.release("a", 0);
    expect(() => window.release("a", 0)).toThrow(/a is outstanding/);
    window.release("b", 0);
    expect(() => window.release("c", 0)).toThrow(/c is released without demand/);
    expect(window.outstanding).toBe(2);
  });

  test("silence past the lease is reported as often as asked, and gives no credit back", () => {
    const window = new CreditWindow({ high: 3 });
    window.release("a", 100);
    window.release("b", 50);
    window.release("c", 200);
    expect(window.expired(50)).toEqual([]);
    expect(window.expired(101)).toEqual(["a", "b"]);
    expect([window.overdue(50), window.overdue(101)]).toEqual([0, 2]);
    expect(window.expired(101)).toEqual(["a", "b"]);
    expect([window.outstanding, window.demand()]).toEqual([3, 0]);
    window.settle("a");
    expect(window.expired(101)).toEqual(["b"]);
  });

  test("a window made smaller asks for nothing until what is out fits half of it", () => {
    const window = new CreditWindow();
    fill(window);
    window.resize(10);
    for (let id = 0; id < 94; id++) window.settle(String(id));
    expect([window.outstanding, window.demand()]).toEqual([6, 0]);
    window.settle("94");
    expect([window.outstanding, window.demand()]).toEqual([5, 5]);
    window.resize(100);
    expect(window.demand()).toBe(95);
    expect(() => window.resize(0)).toThrow(RangeError);
  });

  test("a window of one asks for one at a time", () => {
    const window = new CreditWindow({ high: 1 });
    expect(fill(window)).toBe(1);
    expect(window.demand()).toBe(0);
    window.settle("0");
    expect(window.demand()).toBe(1);
  });

  test("what was out before a restart is out again, even where the window is smaller now", () => {
    const window = new CreditWindow({ high: 2, total: new DemandTotal(2) });
    for (const id of ["a", "b", "c"]) window.restore(id, 10);
    expect([window.outstanding, window.demand()]).toEqual([3, 0]);
    expect(window.expired(11)).toEqual(["a", "b", "c"]);
    for (const id of ["a", "b"]) expect(window.settle(id)).toBe(true);
    expect(window.demand()).toBe(1);
  });

  test("the total limits all windows together, and what one gives back is open to another at once", () => {
    const total = new DemandTotal(5);
    const slow = new CreditWindow({ high: 4, total });
    const fast = new CreditWindow({ high: 4, total });
    expect(fill(slow)).toBe(4);
    expect(fast.demand()).toBe(1);
    fast.release("f", 0);
    expect([fast.demand(), total.demand(), total.outstanding]).toEqual([0, 0, 5]);
    expect(() => fast.release("g", 0)).toThrow(/without demand/);
    fast.settle("f");
    expect(fast.demand()).toBe(1);
    total.resize(8);
    expect(fast.demand()).toBe(4);
  });

  test("no order of releases and outcomes releases more than was asked for, or loses or doubles a credit", () => {
    const which = fc.nat(1);
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("release" as const), which, share: fc.nat(4) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("settle" as const), which, pick: fc.nat() }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("again" as const), which, pick: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("unknown" as const), which }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("resize" as const),
          which,
          high: fc.integer({ min: 1, max: 8 }),
        }),
      },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const total = new DemandTotal(10);
        const domains = [0, 1].map(() => ({
          window: new CreditWindow({ low: 2, high: 6, total }),
          high: 6,
          low: 2,
          filled: false,
          out: [] as string[],
          settled: [] as string[],
        }));
        let ids = 0;
        for (const action of actions) {
          const domain = domains[action.which];
          if (domain === undefined) throw new Error("no such domain");
          const { window, out, settled } = domain;
          switch (action.kind) {
            case "release":
              for (let left = Math.min(action.share, window.demand()); left > 0; left--) {
                window.release(String(ids), 0);
                out.push(String(ids++));
              }
              break;
            case "settle": {
              const [id] = out.splice(action.pick % Math.max(1, out.length), 1);
              if (id === undefined) break;
              expect(window.settle(id)).toBe(true);
              settled.push(id);
              break;
            }
            case "again": {
              const id = settled[action.pick % Math.max(1, settled.length)];
              if (id !== undefined) expect(window.settle(id)).toBe(false);
              break;
            }
            case "unknown":
              expect(window.settle("unknown")).toBe(false);
              break;
            case "resize":
              window.resize(action.high);
              domain.high = action.high;
              domain.low = Math.floor(action.high / 2);
              break;
          }
          if (out.length >= domain.high) domain.filled = true;
          else if (out.length <= domain.low) domain.filled = false;
          const all = domains.reduce((sum, { out }) => sum + out.length, 0);
          expect(total.outstanding).toBe(all);
          expect(all).toBeLessThanOrEqual(10);
          for (const each of domains) {
            const own = each.filled ? 0 : each.high - each.out.length;
            expect(each.window.outstanding).toBe(each.out.length);
            expect(each.window.demand()).toBe(Math.min(own, 10 - all));
            expect(each.window.expired(1)).toEqual(each.out);
            expect(each.window.overdue(1)).toBe(each.out.length);
          }
        }
      }),
      { numRuns: 10_000 },
    );
  });
});
