import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryScratch, scratchPageBytes } from "@sluice/topology";
import { urlIdOf } from "@sluice/web";
import { depthMax, type Whereabouts } from "../src/core/known-slots.ts";
import { KnownUrls } from "../src/core/known-urls.ts";
import { JobView } from "../src/core/job-view.ts";
import type { OpenEntry } from "../src/core/entry.ts";
import type { Effects } from "../src/core/effects.ts";
import { hostOfBlock, keys } from "../src/core/keys.ts";
import { idsOf, putSettled, readBlock } from "../src/core/settled-block.ts";
import { FrontierState } from "../src/core/state.ts";
import { defaultFrontierOptions } from "../src/options.ts";

const places: readonly Whereabouts[] = ["settled", "fresh", "granted", "delayed", "out"];
const max = defaultFrontierOptions.knownInMemoryMax;
const hex = (value: number): string => (value % 2 ** 32).toString(16).padStart(8, "0");
const id = (index: number): string => urlIdOf(`https://h.example/${index}`);

/** As a file may be: a page that is taken has in it what was there before. */
class UsedScratch extends MemoryScratch {
  readonly #page = new Uint8Array(scratchPageBytes).fill(0xa5);

  override take(): number {
    const page = super.take();
    this.write(page, this.#page, 0);
    return page;
  }
}

class CountingScratch extends MemoryScratch {
  reads = 0;

  override read(page: number, into: Uint8Array, from: number): void {
    this.reads += 1;
    super.read(page, into, from);
  }
}

describe("known URLs", () => {
  test("are found again as they were set last, however many there are, and no other is", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(50, 5000, 30_000), (seed, count) => {
        const scratch = new UsedScratch();
        const known = new KnownUrls(scratch, max);
        const model = new Map<string, { at: Whereabouts; depth: number; place: number }>();
        for (let step = 0; step < count; step += 1) {
          if ((step * 11 + seed) % 7 === 0) {
            const gone = id((step * 104_729 + seed) % Math.ceil(count / 1.5));
            expect(known.forget(gone)).toBe(model.delete(gone));
          }
          // Others read in between have their places among what was read last.
          const other = id((step * 15_485_863 + seed) % Math.ceil(count / 1.5));
          if (step % 3 === 0) expect(known.get(other)).toEqual(model.get(other) ?? null);
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
        expect([known.size, known.get(id(0)), known.diskBytes, scratch.bytes]).toEqual([0, null, 0, 0]);
      }),
      { numRuns: 8 },
    );
  });

  test("are the same by their bytes, and by the text of their keys", () => {
    const known = new KnownUrls(new MemoryScratch(), max);
    const keyOf = (index: number): string => {
      const waits = { domain: "h.example", depth: index % 200, granted: false, priority: 50, place: index };
      return keys.queued(1, { ...waits, urlId: id(index) } as OpenEntry);
    };
    for (let index = 0; index < 6000; index += 1) {
      const key = keyOf(index);
      if (index % 2 === 0) known.addSettled(Buffer.from(`00${id(index)}`, "hex"), 1, index % 200);
      else known.addWaiting(key, key.lastIndexOf("|") + 1, "fresh", index % 200, index);
    }
    expect(known.size).toBe(6000);
    let wrong = 0;
    for (let index = 0; index < 6000; index += 1) {
      const found = known.get(id(index));
      const [at, place] = index % 2 === 0 ? ["settled", 0] : ["fresh", index];
      if (found?.at !== at || found?.depth !== index % 200 || found.place !== place) wrong += 1;
    }
    expect(wrong).toBe(0);
  });

  test("that are loaded are the same as those that were set one by one, though some come many times", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(100, 4000, 40_000), fc.boolean(), (seed, count, isExpected) => {
        const scratch = new UsedScratch();
        const known = new KnownUrls(scratch, max);
        const model = new Map<string, { at: Whereabouts; depth: number; place: number }>();
        const put = (urlId: string, step: number): void => {
          const at = places[(step + seed) % places.length] ?? "fresh";
          const place = at === "settled" ? 0 : step;
          known.set(urlId, at, step % 200, place);
          model.set(urlId, { at, depth: step % 200, place });
        };
        known.load(isExpected ? count / 1.5 : 0);
        for (let step = 0; step < count; step += 1) {
          put(id((step * 7919 + seed) % Math.ceil(count / 1.5)), step);
          // More often than a page has room for.
          if (step % 4 === 0) put(id(seed % 3), step);
        }
        known.loaded();
        expect(known.size).toBe(model.size);
        for (const [urlId, expected] of model) expect(known.get(urlId)).toEqual(expected);
        expect([known.get(id(count)), known.diskBytes]).toEqual([null, scratch.bytes]);
        put(id(count), 5);
        expect([known.get(id(count))?.depth, known.size]).toEqual([5, model.size]);
        known.clear();
        expect([known.size, scratch.bytes]).toEqual([0, 0]);
      }),
      { numRuns: 8 },
    );
  });

  test("that are said many times while they are loaded take the room of one", () => {
    const known = new KnownUrls(new MemoryScratch(), 10);
    known.load(0);
    for (let index = 0; index < 100_000; index += 1) known.set(id(index % 500), "fresh", 1, index);
    known.loaded();
    expect([known.size, known.diskBytes, known.get(id(3))?.place]).toEqual([500, scratchPageBytes, 99_503]);
  });

  test("that are loaded are not asked for before all are there", () => {
    const known = new KnownUrls(new MemoryScratch(), 10);
    known.load(20);
    for (let index = 0; index < 20; index += 1) known.set(id(index), "fresh", 1, index);
    expect(() => known.get(id(1))).toThrow("while they are loaded");
    known.loaded();
    expect([known.size, known.get(id(1))?.place]).toEqual([20, 1]);
  });

  test("of which two share half of their ids are told apart when both were settled before they are loaded", () => {
    const known = new KnownUrls(new MemoryScratch(), 1);
    const ids = ["1111111111111111", "2222222222222222"].map((rest) => `0123456789abcdef${rest}`);
    known.load(20);
    known.set(id(1), "fresh", 1, 1);
    known.set(id(2), "fresh", 1, 2);
    for (const [depth, each] of ids.entries()) known.set(each, "settled", depth);
    known.loaded();
    expect([known.size, ...ids.map((each) => known.get(each)?.depth)]).toEqual([4, 0, 1]);
  });

  test("take a few bytes of memory each beyond the first few thousand, and are on the disk", () => {
    const scratch = new MemoryScratch();
    const known = new KnownUrls(scratch, max);
    const spent: number[] = [];
    const shares: number[] = [];
    for (let index = 0; index < 200_000; index += 1) {
      known.set(id(index), "settled", 1);
      // Never are all pages half empty at the same time: 36 bytes a URL.
      if (index > 50_000 && index % 1000 === 0) shares.push(known.diskBytes / known.size);
      if (index === 2999 || index === 99_999) spent.push(known.bytes, known.diskBytes);
    }
    const [few = 0, fewOnDisk, many = 0] = spent;
    expect(few / 3000).toBeLessThan(25);
    expect(fewOnDisk).toBe(0);
    expect((known.bytes - many) / 100_000).toBeLessThan(6);
    expect(Math.max(...shares)).toBeLessThan(30);
    expect(known.diskBytes).toBe(scratch.bytes);
  });

  test.each([
    ["the first 32 bits", (index: number) => `0badcafe${hex(index * 2_654_435_761)}`],
    ["the second 32 bits", (index: number) => `${hex(index * 40_503)}0badcafe`],
    [
      "some of all bits",
      (index: number) =>
        `${hex(((index * 40_503) % 4096) * 2 ** 20)}${hex(Math.floor((index * 40_503) / 4096))}`,
    ],
  ])("cost the same where somebody has chosen them to share %s", (_, first) => {
    const scratch = new CountingScratch();
    const known = new KnownUrls(scratch, max);
    const urlId = (index: number): string => first(index).padEnd(32, "0");
    for (let index = 0; index < 20_000; index += 1) known.set(urlId(index), "fresh", 1, index);
    scratch.reads = 0;
    const all = Array.from({ length: 20_000 }, (__, index) => index);
    expect(all.filter((index) => known.get(urlId(index))?.place !== index)).toEqual([]);
    expect(all.filter((index) => known.get(urlId(index + 20_000)) !== null)).toEqual([]);
    expect([known.size, scratch.reads < 25_000]).toEqual([20_000, true]);
  });

  test("that are not known cost hardly a read, and those that were asked for lately none", () => {
    const scratch = new CountingScratch();
    const known = new KnownUrls(scratch, max);
    for (let index = 0; index < 20_000; index += 1) known.set(id(index), "settled", 1);
    scratch.reads = 0;
    for (let index = 0; index < 10_000; index += 1) known.get(id(20_000 + index));
    expect(scratch.reads).toBeLessThan(800);
    for (let index = 0; index < 100; index += 1) known.get(id(index));
    scratch.reads = 0;
    for (let index = 0; index < 100; index += 1) known.get(id(index));
    expect(scratch.reads).toBeLessThan(20);
  });

  test("of a few come and go in a table that does not grow", () => {
    const known = new KnownUrls(new MemoryScratch(), max);
    for (let index = 0; index < 30_000; index += 1) {
      known.set(id(index), "settled", index % 9);
      if (index >= 2000) expect(known.forget(id(index - 2000))).toBe(true);
    }
    expect([known.size, known.diskBytes, known.bytes]).toEqual([2000, 0, 131_072]);
    expect(known.forget(id(5))).toBe(false);
    expect(known.get(id(29_999))?.depth).toBe(29_999 % 9);
  });

  test("of several jobs lie beside each other, and go with the view of their job", () => {
    const scratch = new UsedScratch();
    const views = ["a", "b"].map((job, index) => new JobView(job, 1, index, new KnownUrls(scratch, 10)));
    const [one, two] = views as [JobView, JobView];
    for (let index = 0; index < 20_000; index += 1)
      for (const view of views) view.known.set(id(index), "fresh", 1, index + view.number);
    one.clear();
    expect([one.known.diskBytes, scratch.bytes]).toEqual([0, two.known.diskBytes]);
    for (let index = 0; index < 20_000; index += 1)
      if (two.known.get(id(index))?.place !== index + 1) expect.fail(`${index}`);
    two.clear();
    expect(scratch.bytes).toBe(0);
  });

  test("take no more than a bounded amount of memory where as many come as are forgotten", () => {
    const known = new KnownUrls(new MemoryScratch(), max);
    for (let index = 0; index < 20_000; index += 1) known.set(id(index), "settled", 1);
    const { bytes, diskBytes } = known;
    for (let index = 0; index < 100_000; index += 1) {
      known.forget(id(index));
      known.set(id(index + 20_000), "settled", 1);
    }
    expect(known.size).toBe(20_000);
    expect(known.bytes).toBeLessThan(bytes * 2.5);
    expect(known.diskBytes).toBeLessThan(diskBytes * 2.5);
    expect([known.get(id(99_999)), known.get(id(100_000))?.depth]).toEqual([null, 1]);
  });

  test("tell settled URLs apart that share half of their ids", () => {
    const known = new KnownUrls(new MemoryScratch(), max);
    const [one, two] = ["0123456789abcdef1111111111111111", "0123456789abcdef2222222222222222"];
    known.set(one, "settled", 1);
    expect(known.get(two)).toBeNull();
    known.set(two, "settled", 2);
    expect([known.size, known.get(one)?.depth, known.get(two)?.depth]).toEqual([2, 1, 2]);
  });

  test("tell depths apart up to a limit, which stands for all beyond", () => {
    const known = new KnownUrls(new MemoryScratch(), max);
    known.set(id(1), "fresh", 1_000_000, 5);
    expect(known.get(id(1))).toEqual({ at: "fresh", depth: depthMax, place: 5 });
  });
});

describe("blocks of settled URLs", () => {
  test("make known what was added to them, host by host, in the fewest keys", () => {
    const state = new FrontierState(defaultFrontierOptions, new MemoryScratch());
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
    const known = new KnownUrls(new MemoryScratch(), max);
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
