/**
 * What hosts that keep every request waiting cost those that answer, on a simulated clock and web, where no CPU and
 * no Kafka comes between: `node bench/tarpits.ts [hosts] [tarpits] [delay ms]`. Prints one line of JSON.
 */
import { defaultLimits } from "@sluice/runtime";
import { crawlBeside } from "../tests/simulation/tarpits.ts";

const hosts = Number(process.argv[2] ?? 1000);
const tarpits = Number(process.argv[3] ?? 1000);
const delayMs = Number(process.argv[4] ?? 10_000);
const limits = { hosts, delayMs, callsMax: defaultLimits.callsMax, slowCallsMax: 2000 };
const aloneSeconds = await crawlBeside({ ...limits, tarpits: 0 });
const besideSeconds = await crawlBeside({ ...limits, tarpits });
process.stdout.write(
  `${JSON.stringify({
    bench: "tarpits",
    hosts,
    tarpits,
    delay_ms: delayMs,
    alone_seconds: aloneSeconds,
    beside_seconds: besideSeconds,
    ratio: Number((aloneSeconds / besideSeconds).toFixed(3)),
  })}\n`,
);
