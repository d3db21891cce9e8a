import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OffsetLedger } from "../src/ledger.ts";
import type { Committable } from "../src/ledger.ts";
import { decodeOffsetMap, metadataBytesMax } from "../src/offset-map.ts";

function completedIn({ offset, metadata }: Committable): Set<number> {
  const edges = decodeOffsetMap(offset, metadata);
  const completed = new Set<number>();
  for (let edge = 0; edge + 1 < edges.length; edge += 2) {
    for (let at = edges[edge] ?? 0; at < (edges[edge + 1] ?? 0); at++) completed.add(at);
  }
  return completed;
}

describe("offset ledger", () => {
  test("commits the lowest unfinished offset, and the reader's position when all is finished", () => {
    const ledger = new OffsetLedger(null, 10);
    for (const offset of [10, 11, 12]) expect(ledger.begin(offset)).toBe("new");
    ledger.finish(11);
    expect(ledger.committable().offset).toBe(10);
    expect(completedIn(ledger.committable())).toEqual(new Set([11]));
    ledger.finish(10);
    expect(ledger.committable().offset).toBe(12);
    ledger.finish(12);
    expect(ledger.committable()).toEqual({ offset: 13, metadata: "" });
  });

  test("holes count as done once the reader has passed them", () => {
    const ledger = new OffsetLedger(null, 0);
    ledger.begin(0);
    ledger.begin(5);
    ledger.advance(9);
    expect(completedIn(ledger.committable())).toEqual(new Set([1, 2, 3, 4, 6, 7, 8]));
    ledger.finish(0);
    expect(ledger.committable().offset).toBe(5);
    ledger.finish(5);
    expect(ledger.committable()).toEqual({ offset: 9, metadata: "" });
    ledger.advance(3);
    expect(ledger.nextOffset).toBe(9);
  });

  test("a hole of a billion offsets costs nothing", () => {
    const ledger = new OffsetLedger(null, 0);
    ledger.begin(0);
    ledger.begin(1_000_000_000);
    ledger.finish(1_000_000_000);
    const { offset, metadata } = ledger.committable();
    expect(offset).toBe(0);
    expect(decodeOffsetMap(0, metadata)).toEqual([1, 1_000_000_001]);
    expect(ledger.span).toBe(1_000_000_001);
  });

  test("a record delivered twice is a duplicate, one below the committed offset is done", () => {
    const ledger = new OffsetLedger({ offset: 4, metadata: "" }, 0);
    expect(ledger.begin(3)).toBe("done");
    expect(ledger.begin(4)).toBe("new");
    expect(ledger.begin(4)).toBe("duplicate");
    ledger.finish(4);
    expect(ledger.begin(4)).toBe("duplicate");
    expect(ledger.unfinished).toBe(0);
  });

  test("finishing what was never begun, or twice, throws", () => {
    const ledger = new OffsetLedger(null, 0);
    expect(() => ledger.finish(0)).toThrow(/offset 0/);
    ledger.begin(0);
    ledger.finish(0);
    expect(() => ledger.finish(0)).toThrow(/offset 0/);
  });

  test("what the map knows ahead of the reader survives a second restart", () => {
    const first = new OffsetLedger(null, 0);
    for (let offset = 0; offset < 10; offset++) first.begin(offset);
    for (const offset of [1, 2, 7]) first.finish(offset);
    const second = new OffsetLedger(first.committable(), 0);
    expect(second.committable()).toEqual(first.committable());
    expect(second.begin(0)).toBe("new");
    second.finish(0);
    const third = new OffsetLedger(second.committable(), 0);
    expect(third.nextOffset).toBe(1);
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((offset) => third.begin(offset))).toEqual(
      ["done", "done", "new", "new", "new", "new", "done", "new"], //
    );
  });

  test("a restored map is kept while the reader is in the middle of it", () => {
    const first = new OffsetLedger(null, 0);
    for (let offset = 0; offset < 5000; offset++) first.begin(offset);
    for (let offset = 1; offset < 4000; offset++) first.finish(offset);
    const second = new OffsetLedger(first.committable(), 0);
    for (let offset = 0; offset < 2000; offset++) {
      expect(second.begin(offset)).toBe(offset === 0 ? "new" : "done");
    }
    expect(second.committable()).toEqual(first.committable());
    second.finish(0);
    const { offset, metadata } = second.committable();
    expect([offset, ...decodeOffsetMap(offset, metadata)]).toEqual([2000, 2000, 4000]);
  });

  test("the committable offset follows a window of unfinished records over 50,000 of them", () => {
    const ledger = new OffsetLedger(null, 0);
    for (let offset = 0; offset < 50_000; offset++) {
      ledger.begin(offset);
      // In pairs the other way round: the later of two finishes first.
      const finished = (offset ^ 1) - 10;
      if (finished >= 0) ledger.finish(finished);
      const lowest = offset < 10 ? 0 : offset % 2 === 0 ? offset - 10 : offset - 9;
      if (ledger.committable().offset !== lowest) expect(ledger.committable().offset).toBe(lowest);
    }
    expect(ledger.unfinished).toBe(10);
  });

  test("is dirty where nothing was committed yet, and after anything that changes a commit", () => {
    expect(new OffsetLedger({ offset: 3, metadata: "" }, 0).dirty).toBe(false);
    const ledger = new OffsetLedger(null, 0);
    expect(ledger.dirty).toBe(true);
    const committed = ledger.committable();
    expect(ledger.dirty).toBe(false);
    ledger.begin(0);
    expect(ledger.dirty).toBe(false);
    expect(ledger.changedSince(committed)).toBe(false);
    ledger.finish(0);
    expect(ledger.dirty).toBe(true);
    expect(ledger.changedSince(committed)).toBe(true);
    expect(ledger.changedSince(null)).toBe(true);
  });

  test("someone else's metadata means that nothing above the offset was completed", () => {
    const ledger = new OffsetLedger({ offset: 5, metadata: "someone else's" }, 0);
    expect([5, 6].map((offset) => ledger.begin(offset))).toEqual(["new", "new"]);
  });

  test("a span of 100,000 stays within the metadata and repeats only what found no room", () => {
    const ledger = new OffsetLedger(null, 0);
    for (let offset = 0; offset < 100_000; offset++) ledger.begin(offset);
    for (let offset = 1; offset < 100_000; offset += 2) ledger.finish(offset);
    expect(ledger.span).toBe(100_000);
    expect(ledger.unfinished).toBe(50_000);
    expect(ledger.mapFill).toBe(1);
    const committed = ledger.committable();
    expect(committed.metadata.length).toBeLessThanOrEqual(metadataBytesMax);
    const completed = completedIn(committed);
    expect(completed.size).toBeGreaterThan(12_000);
    expect([...completed].every((offset) => offset % 2 === 1)).toBe(true);
    for (let offset = 0; offset < 100_000; offset += 2) ledger.finish(offset);
    expect(ledger.committable()).toEqual({ offset: 100_000, metadata: "" });
    expect(ledger.mapFill).toBe(0);
  });

  test("no schedule of reading, finishing, committing and crashing loses or repeats a record", () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("read" as const), hole: fc.nat(3) }) },
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("finish" as const), pick: fc.nat() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("advance" as const), by: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("commit" as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
    );
    let restarts = 0;
    fc.assert(
      fc.property(fc.nat(500), fc.array(action, { maxLength: 60 }), (start, actions) => {
        /** Where the log has no record; decided when first passed, since a log does not change. */
        const holes = new Set<number>();
        let written = start;
        let committed: Committable | null = null;
        let completedAtCommit = new Set<number>();
        let ledger = new OffsetLedger(committed, start);
        let reader = start;
        const unfinished = new Set<number>();
        let completed = new Set<number>();
        for (const action of actions) {
          switch (action.kind) {
            case "read": {
              if (reader === written) {
                for (let hole = 0; hole < action.hole; hole++) holes.add(written++);
                written++;
              }
              while (holes.has(reader) && reader < written) completed.add(reader++);
              if (reader === written) {
                ledger.advance(reader);
                break;
              }
              const offset = reader++;
              const known = completedAtCommit.has(offset);
              expect(ledger.begin(offset)).toBe(known ? "done" : "new");
              expect(ledger.begin(offset)).toBe("duplicate");
              if (known) completed.add(offset);
              else unfinished.add(offset);
              break;
            }
            case "finish": {
              const offset = [...unfinished][action.pick % unfinished.size];
              if (offset === undefined) break;
              ledger.finish(offset);
              unfinished.delete(offset);
              completed.add(offset);
              break;
            }
            case "advance":
              if (reader !== written) break;
              for (let hole = 0; hole < action.by; hole++) {
                holes.add(written);
                completed.add(written++);
              }
              reader = written;
              ledger.advance(reader);
              break;
            case "commit":
              committed = ledger.committable();
              completedAtCommit = new Set([...completed].filter((at) => at >= (committed?.offset ?? 0)));
              break;
            case "crash":
              restarts++;
              ledger = new OffsetLedger(committed, start);
              reader = committed?.offset ?? start;
              unfinished.clear();
              completed = new Set(completedAtCommit);
              break;
          }
          const now = ledger.committable();
          for (const offset of unfinished) expect(now.offset).toBeLessThanOrEqual(offset);
          expect(now.offset).toBe(Math.min(ledger.nextOffset, ...unfinished));
          expect(completedIn(now)).toEqual(new Set([...completed].filter((at) => at >= now.offset)));
          expect(ledger.unfinished).toBe(unfinished.size);
          expect(ledger.nextOffset).toBe(reader);
          expect(ledger.span).toBe(reader - now.offset);
          expect(ledger.changedSince(now)).toBe(false);
        }
      }),
      { numRuns: 10_000 },
    );
    expect(restarts).toBeGreaterThan(1000);
  });

  test("dirty is never false where a commit would differ", () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("begin" as const), hole: fc.nat(2) }),
      fc.record({ kind: fc.constant("finish" as const), pick: fc.nat() }),
      fc.record({ kind: fc.constant("commit" as const) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const ledger = new OffsetLedger({ offset: 0, metadata: "" }, 0);
        let last: Committable = { offset: 0, metadata: "" };
        const unfinished = new Set<number>();
        for (const action of actions) {
          if (action.kind === "begin") {
            const offset = ledger.nextOffset + action.hole;
            ledger.begin(offset);
            unfinished.add(offset);
          } else if (action.kind === "finish") {
            const offset = [...unfinished][action.pick % unfinished.size];
            if (offset === undefined) continue;
            ledger.finish(offset);
            unfinished.delete(offset);
          } else last = ledger.committable();
          if (!ledger.dirty) expect(ledger.changedSince(last)).toBe(false);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
