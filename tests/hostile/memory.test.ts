import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expose } from "./expose.ts";
import { threats } from "./hostile-server.ts";

/** What a job has unless it says otherwise. */
const bodyBytesMax = 10_485_760;
/** What the allocator keeps of bombs that came one after the other without a pause. */
const besideBytes = 40_000_000;
const isLinux = existsSync("/proc/self/clear_refs");
if (!isLinux)
  process.stderr.write(
    "Skipped what bombs cost in memory: there is no /proc/self/clear_refs to measure it by.\n",
  );
const bombs = threats.filter(({ row }) => row === "decompression bomb");
const few = bombs.filter(({ name }) => name === "bomb-zstd" || name === "bomb-in-five-layers");
const peakOf = ({ exposures }: Awaited<ReturnType<typeof expose>>): number =>
  Math.max(...exposures.map(({ report }) => report?.peakBytes ?? Infinity));

describe.skipIf(!isLinux)("a bomb that a fetcher meets, with the default limit,", () => {
  test(
    "costs it no more than twice the limit, of whatever kind the bomb is",
    { timeout: 300_000 },
    async () => {
      const { exposures } = await expose(bombs, { bodyBytesMax, times: 1 });
      expect(exposures.map(({ threat, report }) => [threat.name, report?.categories.join()])).toEqual(
        bombs.map(({ name, expected }) => [name, expected.category]),
      );
      const larger = exposures.filter(
        ({ report }) => !((report?.grownBytes ?? Infinity) <= 2 * bodyBytesMax),
      );
      expect(larger.map(({ threat, report }) => `${threat.name} ${report?.grownBytes}`)).toEqual([]);
    },
  );

  test("leaves nothing that adds up with the next ones", { timeout: 300_000 }, async () => {
    const row = Array.from({ length: 5 }, () => few).flat();
    const exposed = await expose(row, { bodyBytesMax, times: 1, collects: false });
    expect(exposed.exposures.map(({ report }) => report?.categories.join())).toEqual(row.map(() => "ok"));
    expect(peakOf(exposed) - exposed.warmBytes).toBeLessThan(2 * bodyBytesMax + besideBytes);
  });

  test("costs no more than twice the limit beside fifteen others", { timeout: 300_000 }, async () => {
    const exposed = await expose(few, { bodyBytesMax, times: 16, collects: false });
    expect(exposed.exposures.map(({ report }) => report?.categories.join())).toEqual(["ok", "ok"]);
    expect((peakOf(exposed) - exposed.warmBytes) / 16).toBeLessThan(2 * bodyBytesMax);
  });
});
