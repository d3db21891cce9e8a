import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { urlIdOf } from "@sluice/web";
import { depthMax, KnownUrls, type Whereabouts } from "../src/core/known-urls.ts";
import type { Effects } from "../src/core/effects.ts";
import { hostOfBlock, keys } from "../src/core/keys.ts";
import { idsOf, putSettled, readBlock } from "../src/core/settled-block.ts";
import { FrontierState } from "../src/core/state.ts";
import { defaultFrontierOptions } from "../src/options.ts";

const places: readonly Whereabouts[] = ["settled", "fresh", "granted", "delayed", "out"];
const id = (index: number): string => urlIdOf(`https://h.example/${index}`);

describe("known URLs", () => {
  test("are found again as they were set last, however many there are, and no other is", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(50, 5000, 30_000), (seed, count) => {
        const known = new KnownUrls();
        const model = new Map<string, { at: Whereabouts; depth: number; place: number }>();
        for (let step = 0; step < count; step += 1) {
          if ((step * 11 + seed) % 7 === 0) {
            const gone = id((step * 104_729 + seed) % Math.ceil(count / 1.5));
            known.forget(gone);
            model.delete(gone);
          }
          const urlId = id((step * 7919 + seed) % Math.ceil(count / 1.5));
          const at = places[(step + seed) % places.length] ?? "fresh";
          const depth = (step * 31) % 200;
          const place = at === "settled" ? 0 : (step * 1_000_003 * (seed + 1)) % 2 ** 48;
          known.set(urlId, at, depth, place);
          model.set(urlId, { at, depth, place });
        }
        expect(known.size).toBe(model.size);
        for (const [urlId, expected] of model) expect(known.get(urlId)).toEqual(expected);
        for (let index = 0; index < count; index += 1)
          if (!model.has(id(index))) expect(known.get(id(index))).toBeNull();
        for (let index = 0; index < 1000; index += 1) expect(known.get(id(count + index))).toBeNull();
        known.clear();
        expect([known.size, known.get(id(0))]).toEqual([0, null]);
      }),
      { numRuns: 8 },
    );
  });

  test("are the same by their bytes", () => {
    const known = new KnownUrls();
    for (let index = 0; index < 6000; index += 1) {
      const at = places[index % places.length] ?? "fresh";
      known.add(Buffer.from(`00${id(index)}`, "hex"), 1, at, index % 200, at === "settled" ? 0 : index);
    }
    expect(known.size).toBe(6000);
    let wrong = 0;
    for (let index = 0; index < 6000; index += 1) {
      const found = known.get(id(index));
      const at = places[index % places.length];
      const place = at === "settled" ? 0 : index;
      if (found?.at !== at || found?.depth !== index % 200 || found.place !== place) wrong += 1;
    }
    expect(wrong).toBe(0);
  });

  test("take up to 25 bytes each beyond the first few thousand", () => {
    const known = new KnownUrls();
    for (let index = 0; index < 200_000; index += 1) known.set(id(index), "settled", 1);
    expect(known.bytes / known.size).toBeGreaterThan(19);
    expect(known.bytes / known.size).toBeLessThan(26);
  });

  test("take no more than a bounded amount of memory where as many come as are forgotten", () => {
    const known = new KnownUrls();
    for (let index = 0; index < 20_000; index += 1) known.set(id(index), "settled", 1);
    const { bytes } = known;
    for (let index = 0; index < 100_000; index += 1) {
      known.forget(id(index));
      known.set(id(index + 20_000), "settled", 1);
    }
    expect(known.size).toBe(20_000);
    expect(known.bytes).toBeLessThan(bytes * 2.5);
    expect([known.get(id(99_999)), known.get(id(100_000))?.depth]).toEqual([null, 1]);
  });

  test("tell settled URLs apart that share half of their ids", () => {
    const known = new KnownUrls();
    const [one, two] = ["0123456789abcdef1111111111111111", "0123456789abcdef2222222222222222"];
    known.set(one, "settled", 1);
    expect(known.get(two)).toBeNull();
    known.set(two, "settled", 2);
    expect([known.size, known.get(one)?.depth, known.get(two)?.depth]).toEqual([2, 1, 2]);
  });

  test("tell depths apart up to a limit, which stands for all beyond", () => {
    const known = new KnownUrls();
    known.set(id(1), "fresh", 1_000_000, 5);
    expect(known.get(id(1))).toEqual({ at: "fresh", depth: depthMax, place: 5 });
  });
});

describe("blocks of settled URLs", () => {
  test("make known what was added to them, host by host, in the fewest keys", () => {
    const state = new FrontierState(defaultFrontierOptions);
    const out: Effects = [];
    for (let index = 0; index < 100; index += 1)
      putSettled(
        state,
        1,
        index < 40 ? "a.example" : "b.example",
        { urlId: id(index), depth: index },
        index % 2 === 0 ? "done" : "skipped",
        out,
      );
    const stored = (host: string) =>
      state.entries.first(keys.settledOn(1, host), 1000) as readonly (readonly [string, string])[];
    expect(stored("a.example").map(([key]) => [keys.blockOf(key), hostOfBlock(key)])).toEqual([
      [2, "a.example"],
      [1, "a.example"],
      [0, "a.example"],
    ]);
    expect(stored("b.example")).toHaveLength(4);
    const known = new KnownUrls();
    for (const [, text] of [...stored("a.example"), ...stored("b.example")]) readBlock(text, known);
    expect(known.size).toBe(100);
    for (let index = 0; index < 100; index += 1)
      expect(known.get(id(index))).toEqual({ at: "settled", depth: index, place: 0 });
    expect(
      stored("a.example")
        .flatMap(([, text]) => idsOf(text))
        .toSorted(),
    ).toEqual(Array.from({ length: 40 }, (_, index) => id(index)).toSorted());
  });
});
