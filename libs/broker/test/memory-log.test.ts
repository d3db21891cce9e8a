import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NewRecord, PartitionLog } from "../src/memory/log.ts";

const record = (key: string | null, value: string | null): NewRecord => ({
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
  headers: {},
  timestampMs: 0,
});

function readAll(
  log: PartitionLog,
  from: number,
  bytesMax = 1e9,
): { values: (string | null)[]; end: number } {
  const values: (string | null)[] = [];
  let at = from;
  for (;;) {
    const read = log.read(at, bytesMax);
    if (read.kind === "out_of_range") return { values, end: -1 };
    for (const { value } of read.records) values.push(value?.toString() ?? null);
    if (read.nextOffset === at) return { values, end: at };
    at = read.nextOffset;
  }
}

describe("a partition's log", () => {
  it("keeps the last value of each key on compaction, with holes that reading passes", () => {
    const log = new PartitionLog("t", 0);
    const [committed, aborted] = [{}, {}];
    log.append([record("a", "1"), record("b", "1"), record("a", "2")], null);
    log.append([record("b", "aborted")], aborted);
    log.writeMarker(aborted, "aborted");
    log.append([record("c", "1"), record("b", null)], committed);
    log.writeMarker(committed, "committed");
    log.append([record("d", "1")], null);
    expect(log.compact(false)).toBe(5);
    expect(readAll(log, 0)).toEqual({ values: ["2", "1", null, "1"], end: 9 });
    expect(readAll(log, 3)).toEqual({ values: ["1", null, "1"], end: 9 });
    log.compact(true);
    expect(readAll(log, 0)).toEqual({ values: ["2", "1", "1"], end: 9 });
  });

  it("does not compact an open transaction nor what lies behind it", () => {
    const log = new PartitionLog("t", 0);
    const open = {};
    log.append([record("a", "1"), record("a", "2")], null);
    log.append([record("a", "3")], open);
    log.append([record("a", "4")], null);
    expect(log.compact(false)).toBe(1);
    log.writeMarker(open, "aborted");
    expect(readAll(log, 0)).toEqual({ values: ["2", "4"], end: 5 });
  });

  it("begins where retention says, never above the stable offset", () => {
    const log = new PartitionLog("t", 0);
    const open = {};
    log.append([record("a", "1"), record("b", "2"), record("c", "3")], null);
    log.append([record("d", "4")], open);
    log.trim(2);
    expect(log.read(1, 1e9)).toEqual({ kind: "out_of_range", low: 2 });
    expect(readAll(log, 2).values).toEqual(["3"]);
    log.trim(100);
    expect(log.low).toBe(3);
    log.trim(1);
    expect(log.low).toBe(3);
  });

  it("gives at least one record, then as many as the limit allows", () => {
    const log = new PartitionLog("t", 0);
    log.append([record("a", "x".repeat(1_000)), record("b", "1"), record("c", "2")], null);
    const first = log.read(0, 10);
    expect(first).toMatchObject({ kind: "read", nextOffset: 1 });
    expect(log.read(1, 145)).toMatchObject({ nextOffset: 3, records: [{ offset: 1 }, { offset: 2 }] });
    expect(log.read(1, 100)).toMatchObject({ nextOffset: 2, records: [{ offset: 1 }] });
  });

  it("shows a reader the committed records in order and stops at the oldest open transaction, for any history", () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("append" as const),
        by: fc.integer({ min: -1, max: 3 }),
        key: fc.nat(4),
      }),
      fc.record({
        kind: fc.constant("end" as const),
        by: fc.integer({ min: 0, max: 3 }),
        commit: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("compact" as const) }),
    );
    const property = fc.property(fc.array(step, { maxLength: 60 }), fc.nat(300), (steps, bytesMax) => {
      const log = new PartitionLog("t", 0);
      const owners = new Map<number, object>();
      const model: { offset: number; key: string; value: string; owner: object | null }[] = [];
      const outcomes = new Map<object, boolean>();
      const firsts = new Map<object, number>();
      let next = 0;
      let compactedTo = 0;
      const stable = () => Math.min(next, ...firsts.values());
      for (const [number, at] of steps.entries()) {
        if (at.kind === "append") {
          const owner = at.by < 0 ? null : (owners.get(at.by) ?? {});
          if (owner !== null) {
            owners.set(at.by, owner);
            if (!firsts.has(owner)) firsts.set(owner, next);
          }
          model.push({ offset: next, key: `k${at.key}`, value: `v${number}`, owner });
          expect(log.append([record(`k${at.key}`, `v${number}`)], owner)).toBe(next++);
        } else if (at.kind === "end") {
          const owner = owners.get(at.by);
          if (owner === undefined) continue;
          owners.delete(at.by);
          firsts.delete(owner);
          outcomes.set(owner, at.commit);
          log.writeMarker(owner, at.commit ? "committed" : "aborted");
          next++;
        } else {
          compactedTo = stable();
          log.compact(false);
        }
      }
      const end = stable();
      expect(log.lastStableOffset).toBe(end);
      expect(log.highWatermark).toBe(next);
      const visible = model.filter(
        (m) => m.offset < end && (m.owner === null || outcomes.get(m.owner) === true),
      );
      const latest = new Map(visible.filter((m) => m.offset < compactedTo).map((m) => [m.key, m.offset]));
      const must = visible.filter((m) => m.offset >= compactedTo || latest.get(m.key) === m.offset);
      const got = readAll(log, 0, bytesMax);
      expect(got.end).toBe(end);
      // Compactions in between may have kept an entry at the tail, so superseded ones are allowed, not owed.
      expect(must.map((m) => m.value).filter((value) => !got.values.includes(value))).toEqual([]);
      const order = visible.map((m) => m.value);
      const places = got.values.map((value) => order.indexOf(value ?? ""));
      expect(places).not.toContain(-1);
      expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
    });
    fc.assert(property, { numRuns: 500 });
  });
});
