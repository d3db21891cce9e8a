/**
 * Runs the simulation: `npm run -s simulate -- --seeds 10000 [--from 1] [--threads 2]`, or one seed once more with
 * `--seed 4711 [--trace]`; with `--key registrable-domain` host names of one registrable domain share their clock. Violations go to standard error, each with its seed; the last line, on standard output,
 * is JSON: seeds, violations, steps, seconds. With `--trace` standard error has all that happened in the run.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { politenessKeys } from "@sluice/records";
import { simulate } from "./fleet.ts";
import { runSeed, type RunReport } from "./run.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    threads: { type: "string", default: String(Math.min(2, availableParallelism())) },
    bug: { type: "string" },
    key: { type: "string", default: "host" },
    trace: { type: "boolean", default: false },
  },
});

const politenessKey = politenessKeys.find((each) => each === values.key);
if (politenessKey === undefined) throw new Error(`--key is ${politenessKeys.join(" or ")}`);
const startMs = performance.now();
const sum = { seeds: 0, violations: 0, steps: 0 };

function tell(report: RunReport): boolean {
  sum.seeds += 1;
  sum.steps += report.steps;
  sum.violations += report.violations.length;
  for (const { invariant, detail } of report.violations)
    process.stderr.write(`seed ${report.seed}: ${invariant}: ${detail}\n`);
  return values.bug !== undefined && report.violations.length > 0;
}

if (values.seed === undefined) {
  const { from, seeds, threads, bug } = values;
  await simulate({
    from: numberOf("from", from),
    count: numberOf("seeds", seeds),
    threads: numberOf("threads", threads),
    politenessKey,
    ...(bug === undefined ? {} : { bug }),
    onRun: tell,
  });
} else {
  const report = await runSeed(
    numberOf("seed", values.seed),
    values.trace ? (line) => process.stderr.write(`${line}\n`) : undefined,
    politenessKey,
  );
  tell(report);
  process.stderr.write(`seed ${report.seed}: trace ${report.hash}\n`);
}
const seconds = Math.round((performance.now() - startMs) / 100) / 10;
process.stdout.write(`${JSON.stringify({ ...sum, seconds })}\n`);
process.exitCode = sum.violations > 0 ? 1 : 0;

function numberOf(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`--${name} ${text} is no number`);
}
