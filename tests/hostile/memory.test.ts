import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { expose } from "./expose.ts";
import { threats } from "./hostile-server.ts";

/** What a job has unless it says otherwise. */
const bodyBytesMax = 10_485_760;
/** Decoders keep what codings refer back to, zstd up to 8 MiB; and the allocator keeps some of what was freed. */
const besideBytes = 64_000_000;
const isLinux = existsSync("/proc/self/clear_refs");
const bombs = threats.filter(({ name }) => name === "bomb-zstd" || name === "bomb-in-five-layers");

test.skipIf(!isLinux)(
  "bombs one after the other leave nothing that adds up",
  { timeout: 300_000 },
  async () => {
    const row = Array.from({ length: 5 }, () => bombs).flat();
    const { exposures, warmBytes } = await expose(row, { bodyBytesMax, times: 1, collects: false });
    expect(exposures.map(({ report }) => report?.categories.join())).toEqual(row.map(() => "ok"));
    const peak = Math.max(...exposures.map(({ report }) => report?.peakBytes ?? Infinity));
    expect(peak - warmBytes).toBeLessThan(2 * bodyBytesMax + besideBytes);
  },
);

test.skipIf(!isLinux)(
  "sixteen bombs at once cost no more than twice the body limit each",
  { timeout: 300_000 },
  async () => {
    const { exposures, warmBytes } = await expose(bombs, { bodyBytesMax, times: 16, collects: false });
    expect(exposures.map(({ report }) => report?.categories.join())).toEqual(["ok", "ok"]);
    const peak = Math.max(...exposures.map(({ report }) => report?.peakBytes ?? Infinity));
    expect((peak - warmBytes) / 16).toBeLessThan(2 * bodyBytesMax);
  },
);
