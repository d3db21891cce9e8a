import * as fc from "fast-check";
import { DemandTotal } from "@sluice/runtime";
import { MemoryEntries } from "@sluice/topology";
import { urlIdOf } from "@sluice/web";
import { describe, expect, test } from "vitest";
import type { OpenEntry } from "../src/core/entry.ts";
import { HeadBudget, HostQueue, type Queued, type QueueReader } from "../src/core/host-queue.ts";
import { keys } from "../src/core/keys.ts";

/** A URL that waits, under its key. */
function queued(place: number, depth: number, granted = false): Queued {
  const url = `https://h.example/${place}`;
  const entry = {
    url,
    urlId: urlIdOf(url),
    domain: "h.example",
    depth,
    granted,
    priority: 50,
    place,
  } as OpenEntry;
  return { key: keys.queued(1, entry), entry };
}

/** Queues of one domain over what is stored, as a task has them. */
function world(headsMax: number) {
  const stored = new MemoryEntries<OpenEntry>();
  const heads = new HeadBudget(headsMax);
  const host = new HostQueue("h.example", 10, new DemandTotal(10), heads);
  const read: QueueReader = {
    first: (prefix, limit, after) =>
      stored.first(prefix, limit, after).map(([key, entry]) => ({ key, entry })),
    get: (key) => stored.get(key) as OpenEntry,
  };
  return {
    heads,
    push: (each: Queued): void => {
      stored.map.set(each.key, each.entry);
      host.push("j", keys.queue(1, "h.example"), each);
    },
    next: (granted: boolean, endsTurn = true): Queued | null => {
      const found = host.next(
        () => (granted ? "granted" : "any"),
        () => 1,
        read,
      );
      if (endsTurn) host.endTurn();
      if (found !== null) stored.map.delete(found.key);
      return found;
    },
    remove: (each: Queued): void => {
      stored.map.delete(each.key);
      host.remove("j", each);
    },
    host,
  };
}

describe("a domain's queue", () => {
  test("hands out what is stored in its order, granted ones first, whatever comes and goes meanwhile", () => {
    const act = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant("push" as const), depth: fc.nat(3), granted: fc.boolean() }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("next" as const),
          granted: fc.boolean(),
          endsTurn: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 120 }), fc.constantFrom(0, 3, 100), (acts, headsMax) => {
        const { heads, host, next, push, remove } = world(headsMax);
        const model: Queued[] = [];
        for (const [place, each] of acts.entries()) {
          if (each.kind === "push") {
            const one = queued(place, each.depth, each.granted);
            push(one);
            model.push(one);
            model.sort((a, b) => (a.key < b.key ? -1 : 1));
          } else if (each.kind === "remove") {
            const [gone] = model.length === 0 ? [] : model.splice(each.at % model.length, 1);
            if (gone !== undefined) remove(gone);
          } else {
            const expected = each.granted && model[0]?.entry.granted !== true ? undefined : model.shift();
            const found = next(each.granted, each.endsTurn);
            expect(found?.key).toBe(expected?.key);
            expect(found?.entry.url).toBe(expected?.entry.url);
          }
          expect(host.waiting).toBe(model.length);
          expect(heads.held).toBeLessThanOrEqual(Math.max(headsMax, 8));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("has a few URLs in memory, however many wait", () => {
    const { heads, next, push } = world(10_000);
    for (let place = 0; place < 50_000; place += 1) push(queued(place, place % 5));
    expect(heads.held).toBeLessThanOrEqual(8);
    const order = Array.from({ length: 50_000 }, () => next(false)?.entry.depth ?? -1);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(heads.held).toBe(0);
  });
});
