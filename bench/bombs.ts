/**
 * What decompression bombs cost the fetcher's shell in memory: `node bench/bombs.ts [bytes of the body limit] [at once]`.
 * Each bomb five times in a row and then so many at once, in one process that has no time to clean up between
 * them. Prints a line of JSON for each: how far the resident memory rose above that of the process when it had
 * read a large good page.
 */
import { expose } from "../tests/hostile/expose.ts";
import { threats } from "../tests/hostile/hostile-server.ts";

const bodyBytesMax = Number(process.argv[2] ?? 10_485_760);
const atOnce = Number(process.argv[3] ?? 16);
const inRow = 5;
const bombs = threats.filter(
  ({ row, expected }) => row === "decompression bomb" && expected.truncated === true,
);
const mib = (bytes: number): number => Number((bytes / 1_048_576).toFixed(1));

for (const threat of bombs) {
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
      in_a_row_mib: mib(peak(row)),
      at_once: atOnce,
      at_once_mib: mib(peak(many)),
      each_at_once_mib: mib(peak(many) / atOnce),
    })}\n`,
  );
}
