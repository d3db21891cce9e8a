import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "@sluice/topology/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { realDisk } from "../src/disk.ts";
import { JsonlFile } from "../src/jsonl-file.ts";
import { lastIds } from "../src/last-ids.ts";
import { RecentIds } from "../src/recent-ids.ts";
import type { SinkRow } from "../src/step.ts";
import { FailingDisk } from "./failing-disk.ts";
import { resultAt } from "./rows.ts";

const runs = Number(process.env["SLUICE_TEST_RUNS"] ?? 200);
const path = "/results/results.jsonl";

/** At an offset of partition 0, a result with an id of its own choice. */
const row = (offset: number, id: number): SinkRow => ({
  partition: 0,
  offset,
  result: { ...resultAt(0, id), result_id: `id-${id}` },
});

function idsIn(text: string): readonly number[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => Number((JSON.parse(line) as { result_id: string }).result_id.slice("id-".length)));
}

describe("a result that lies in the topic twice", () => {
  test("is in the file once, on a disk that fails under a process that dies", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
        const random = new Random(seed);
        const disk = new FailingDisk(random);
        disk.failing = random.pick([0, 0.1]);
        disk.dying = random.pick([0, 0.05]);
        const idsMax = 1 + random.below(12);
        const topic: number[] = [];
        for (let id = 0; topic.length < 60;) {
          const isAgain = id > 0 && random.chance(0.4);
          topic.push(isAgain ? Math.max(0, id - 1 - random.below(idsMax)) : id++);
        }
        let next = 0;
        let committed = 0;
        let file: JsonlFile | null = null;
        for (let round = 0; next < topic.length || round < 60; round += 1) {
          if (round === 200) disk.failing = disk.dying = 0;
          if (disk.dead || file === null || random.chance(0.05)) {
            disk.revive(disk.dead && random.chance(0.5));
            next = committed;
            file = await JsonlFile.open(path, disk, idsMax).catch(() => null);
            continue;
          }
          const from = next;
          const to = Math.min(topic.length, from + 1 + random.below(5));
          const rows = topic.slice(from, to).map((id, index) => row(from + index, id));
          const wrote = await file.append(rows).catch(() => null);
          if (wrote !== null) {
            next = to;
            expect(wrote.repeated).toBeLessThanOrEqual(rows.length);
          }
          if (random.chance(0.5)) committed = next;
        }
        expect(idsIn(disk.text(path))).toEqual([...new Set(topic)]);
      }),
      { numRuns: runs },
    );
  });

  test("is told from the counts of a write, in one batch and over a restart of the process", async () => {
    const disk = new FailingDisk(new Random(1));
    const file = await JsonlFile.open(path, disk);
    expect(await file.append([row(0, 1), row(1, 2), row(2, 1)])).toEqual({ repeated: 1 });
    expect(await file.append([row(3, 2)])).toEqual({ repeated: 1 });
    expect(file.knownIds).toBe(2);
    const again = await JsonlFile.open(path, disk);
    expect(await again.append([row(3, 2), row(4, 1), row(5, 3)])).toEqual({ repeated: 2 });
    expect(idsIn(disk.text(path))).toEqual([1, 2, 3]);
  });

  test("of a topic that was made anew is another one, after a restart, too", async () => {
    const disk = new FailingDisk(new Random(1));
    const file = await JsonlFile.open(path, disk);
    await file.append([row(7, 1), row(8, 2)]);
    expect(await file.forgetIfRecreated([2])).toBe(true);
    expect(await file.append([row(0, 1)])).toEqual({ repeated: 0 });
    const again = await JsonlFile.open(path, disk);
    expect(await again.append([row(1, 2), row(2, 1)])).toEqual({ repeated: 1 });
    expect(idsIn(disk.text(path))).toEqual([1, 2, 1, 2]);
  });

  test("is written again where more others came in between than are remembered", async () => {
    const disk = new FailingDisk(new Random(1));
    const file = await JsonlFile.open(path, disk, 2);
    await file.append([row(0, 1), row(1, 2), row(2, 3), row(3, 4), row(4, 5)]);
    expect(file.knownIds).toBeLessThanOrEqual(4);
    expect(await file.append([row(5, 1)])).toEqual({ repeated: 0 });
    expect(await file.append([row(6, 5), row(7, 1)])).toEqual({ repeated: 2 });
  });
});

describe("ids that are remembered", () => {
  test("are the last ones for certain, and at most twice as many", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.nat(20)), (idsMax, numbers) => {
        const ids = new RecentIds(idsMax);
        for (const [index, number] of numbers.entries()) {
          ids.add(String(number));
          expect(ids.size).toBeLessThanOrEqual(2 * idsMax);
          const last = numbers.slice(Math.max(0, index + 1 - idsMax), index + 1);
          for (const each of last) expect(ids.has(String(each))).toBe(true);
        }
      }),
    );
  });

  test("are read from the end of a real file, over lines longer than a chunk and lines of somebody else", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sluice-sink-ids-"));
    try {
      const real = join(folder, "results.jsonl");
      const disk = realDisk();
      const file = await disk.open(real);
      const long = "x".repeat(2_500_000);
      const lines = [
        '{"result_id":"a"}',
        `{"text":"${long}","result_id":"b"}`,
        "no json",
        '{"result_id":7}',
        '{"result_id":"c"}',
        `{"text":"é${long}","result_id":"d"}`,
      ];
      await file.append(Buffer.from(`${lines.join("\n")}\n`));
      const bytes = await file.size();
      expect((await readFile(real)).length).toBe(bytes);
      expect(await lastIds(file, { bytes }, 10)).toEqual(["a", "b", "c", "d"]);
      expect(await lastIds(file, { bytes }, 2)).toEqual(["c", "d"]);
      // A line that is cut by the limit is nobody's.
      expect(await lastIds(file, { bytes }, 10, bytes - 1_000_000)).toEqual(["c", "d"]);
      expect(await lastIds(file, { bytes: 0 }, 10)).toEqual([]);
      await file.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
