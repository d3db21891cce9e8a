/**
 * A crawl under real faults: real Kafka, each service a process of its own, kill -9, and an independent verifier.
 * `npm run -s chaos -- --urls 100000 --hosts 1000 --kills 30`; see `--help`. Closes with one line of JSON.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "@sluice/errors";
import { brokerAway, freezeAll, scaleAll, stallSink, type Findings } from "./disturbances.ts";
import { killAll } from "./kills.ts";
import { troubleNetwork } from "./network.ts";
import { Soak } from "./soak.ts";
import { World, type Verdict } from "./world.ts";

const help = `npm run -s chaos -- [flags]

  --urls N        pages in the crawled web, about (default 2000)
  --hosts N       hosts they are spread over, each a loopback address (default 50)
  --delay-ms N    wait between two requests to a host (default 200)
  --kills N       kill -9, over all services and the broker, half of them at failpoints
  --freezes N     SIGSTOP for twice the session timeout, then SIGCONT
  --scales N      graceful scale events, out to four instances and in again
  --away-s N      the broker is gone for so long
  --network N     the network to the broker turns bad for a while: slow, cut in mid-message, stopped
  --stall-s N     the sink stands still for so long
  --soak-s N      no fault: the job is run again and again for so long; limits on memory and delays hold
  --delivery MODE exactly-once (default) or at-least-once: transactions off
  --seed N        of the web and of the faults (default 1)
  --session-ms N  session timeout of the groups (default 3000)
  --keep FOLDER   keeps logs, inputs and outputs of the run there
`;

const { values } = parseArgs({
  options: {
    urls: { type: "string", default: "2000" },
    hosts: { type: "string", default: "50" },
    "delay-ms": { type: "string", default: "200" },
    kills: { type: "string", default: "0" },
    freezes: { type: "string", default: "0" },
    scales: { type: "string", default: "0" },
    "away-s": { type: "string", default: "0" },
    network: { type: "string", default: "0" },
    "stall-s": { type: "string", default: "0" },
    "soak-s": { type: "string", default: "0" },
    delivery: { type: "string", default: "exactly-once" },
    seed: { type: "string", default: "1" },
    "session-ms": { type: "string", default: "3000" },
    keep: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function flag(name: Exclude<keyof typeof values, "keep" | "help" | "delivery">): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name}: ${values[name]} is not a number`);
  return value;
}

const instances = { frontier: 2, fetcher: 2, "rate-limit": 2, "result-sink": 1 } as const;

/** Pages a host has for about so many URLs in all: a graph also has redirects and missing pages. */
function pagesPerHost(urls: number, hosts: number): number {
  return Math.max(1, Math.round(urls / hosts / 1.25));
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const dir = values.keep === undefined ? mkdtempSync(join(tmpdir(), "sluice-chaos-")) : resolve(values.keep);
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const kills = flag("kills");
  const world = await World.open({
    dir,
    hosts: flag("hosts"),
    pagesPerHost: pagesPerHost(flag("urls"), flag("hosts")),
    seed: flag("seed"),
    delayMs: flag("delay-ms"),
    partitions: 12,
    sessionTimeoutMs: flag("session-ms"),
    env: {
      SLUICE_DELIVERY: values.delivery,
      ...(flag("stall-s") > 0 ? { SLUICE_FRONTIER_LAG_MAX: "500" } : {}),
    },
    keepsResults: flag("soak-s") === 0,
    proxied: flag("network") > 0,
    log,
  });
  try {
    const members = (Object.keys(instances) as (keyof typeof instances)[]).flatMap((service) =>
      Array.from({ length: instances[service] }, (_, index) => [service, index] as const),
    );
    const findings: Findings[] = [];
    const startedAtMs = performance.now();
    if (flag("soak-s") > 0) {
      const soak = new Soak(world);
      await soak.start(members);
      findings.push(await soak.run(flag("soak-s") * 1000));
    } else {
      for (const [service, index] of members) world.start(service, index);
      await world.submit();
    }
    if (kills > 0) await killAll(world, { kills, instances });
    if (flag("freezes") > 0) findings.push(await freezeAll(world, flag("freezes")));
    if (flag("scales") > 0) findings.push(await scaleAll(world, flag("scales")));
    if (flag("away-s") > 0) findings.push(await brokerAway(world, flag("away-s") * 1000));
    if (flag("stall-s") > 0) findings.push(await stallSink(world, flag("stall-s") * 1000));
    if (world.proxy !== null) findings.push(await troubleNetwork(world, world.proxy, flag("network")));
    const transactions = values.delivery !== "at-least-once";
    const finishReason = await world.ended(transactions);
    await world.sunk();
    const seconds = (performance.now() - startedAtMs) / 1000;
    await world.fleet.stop();
    const verdict = await world.verify();
    const wrong = [...wrongOf(verdict, kills, transactions), ...findings.flatMap((each) => each.wrong)];
    if (transactions && finishReason !== "completed") wrong.push(`the job ended as ${String(finishReason)}`);
    for (const each of wrong) log(`WRONG: ${each}`);
    const line = {
      ...verdict,
      seconds: Number(seconds.toFixed(1)),
      ...Object.assign({}, ...findings.map(({ figures }) => figures)),
      wrong,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (values.keep !== undefined) writeFileSync(join(dir, "verdict.json"), `${JSON.stringify(line)}\n`);
    return wrong.length === 0 ? 0 : 1;
  } finally {
    await world.close();
    if (values.keep === undefined) rmSync(dir, { recursive: true, force: true });
  }
}

function wrongOf(verdict: Verdict, kills: number, transactions: boolean): string[] {
  const wrong: string[] = [];
  for (const name of [
    "missing",
    "extra",
    "duplicates",
    "politeness_violations",
    "forbidden",
    "unreadable",
    "sink_missing",
    "sink_duplicates",
    "refetched_without_cause",
  ] as const) {
    // A topic written without transactions may have a result twice, under one id; the sink's file should not.
    if (!transactions && (name === "duplicates" || name === "refetched_without_cause")) continue;
    if (verdict[name] > 0) wrong.push(`${name}: ${verdict[name]}`);
  }
  if (transactions && verdict.refetched > verdict.in_flight_at_kills)
    wrong.push(`${verdict.refetched} repeated, and only ${verdict.in_flight_at_kills} were under way`);
  if (verdict.kills < kills) wrong.push(`only ${verdict.kills} of ${kills} kills fell`);
  return wrong;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  return 2;
});
