/**
 * What decompression bombs cost the fetcher's shell in memory: `node bench/bombs.ts [bytes of the body limit] [at once] [part of a name]`.
 * Each bomb alone in a process that has read good pages; then five in a row and so many at once, in one process that
 * has no time to clean up between them. Prints a line of JSON for each: how far the resident memory rose.
 */
import { expose } from "../tests/hostile/expose.ts";
import { threats } from "../tests/hostile/hostile-server.ts";

const bodyBytesMax = Number(process.argv[2] ?? 10_485_760);
const atOnce = Number(process.argv[3] ?? 16);
const only = process.argv[4] ?? "bomb";
const inRow = 5;
const bombs = threats.filter(
  ({ name, row, expected }) =>
    row === "decompression bomb" && expected.truncated === true && name.includes(only),
);
const mib = (bytes: number): number => Number((bytes / 1_048_576).toFixed(1));

for (const threat of bombs) {
  const alone = await expose([threat], { bodyBytesMax, times: 1 });
  const row = await expose(
    Array.from({ length: inRow }, () => threat),
    { bodyBytesMax, times: 1, collects: false },
  );
  const many = await expose([threat], { bodyBytesMax, times: atOnce, collects: false });
  const peak = (exposed: typeof row): number =>
    Math.max(...exposed.exposures.map(({ report }) => report?.peakBytes ?? Number.NaN)) - exposed.warmBytes;
  process.stdout.write(
    `${JSON.stringify({
      bench: "bombs",
      bomb: threat.name,
      body_limit_mib: mib(bodyBytesMax),
      categories: alone.exposures.flatMap(({ report }) => report?.categories ?? []).join(),
      alone_mib: mib(Math.max(...alone.exposures.map(({ report }) => report?.grownBytes ?? Number.NaN))),
      in_a_row_mib: mib(peak(row)),
      at_once: atOnce,
      at_once_mib: mib(peak(many)),
      each_at_once_mib: mib(peak(many) / atOnce),
    })}\n`,
  );
}
