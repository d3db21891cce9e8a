/**
 * What each kind of hostile host costs the fetcher's shell: `node bench/threats.ts [bytes of the body limit] [row]`.
 * Prints a line of JSON for each row of docs/security.md: how many threats, how long the longest took, and how far
 * the resident memory of the process rose at most.
 */
import { expose } from "../tests/hostile/expose.ts";
import { threats } from "../tests/hostile/hostile-server.ts";
import { threatRows } from "../tests/hostile/threat.ts";

const bodyBytesMax = Number(process.argv[2] ?? 10_485_760);
const only = process.argv[3];
const chosen = threats.filter(({ row }) => only === undefined || row === only);
const { exposures, exitCode } = await expose(chosen, { bodyBytesMax, times: 1 });

for (const row of threatRows) {
  const mine = exposures.filter(({ threat }) => threat.row === row);
  if (mine.length === 0) continue;
  const asStated = mine.filter(
    ({ threat, report }) => report?.categories.join() === threat.expected.category,
  );
  const grown = mine.map(({ report }) => report?.grownBytes ?? 0);
  process.stdout.write(
    `${JSON.stringify({
      bench: "threats",
      row,
      threats: mine.length,
      as_stated: asStated.length,
      body_limit_mib: Number((bodyBytesMax / 1_048_576).toFixed(1)),
      longest_ms: Math.max(...mine.map(({ report }) => report?.tookMs ?? 0)),
      grown_mib_max: Number((Math.max(...grown) / 1_048_576).toFixed(1)),
      exit_code: exitCode,
    })}\n`,
  );
}
