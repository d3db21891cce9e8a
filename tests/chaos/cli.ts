/**
 * A crawl under real faults: real Kafka, each service a process of its own, kill -9, and an independent verifier.
 * `npm run -s chaos -- --urls 100000 --hosts 1000 --kills 30`; see `--help`. Closes with one line of JSON.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "@sluice/errors";
import { pausesOf, wrongLetters, wrongOf } from "./judgement.ts";
import { poisoned } from "./poison.ts";
import { commitHere, recordRun } from "./runs-file.ts";
import { play, scenarioFlags, type Plan, type ScenarioFlag } from "./scenarios.ts";
import { SmallDisk } from "./small-disk.ts";
import { World } from "./world.ts";

const scenarios = Object.keys(scenarioFlags) as ScenarioFlag[];

const help = `npm run -s chaos -- [flags]

What befalls the crawl:
${scenarios.map((flag) => `  --${`${flag} N`.padEnd(13)} ${scenarioFlags[flag]}`).join("\n")}

What is crawled, and how:
  --urls N        pages in the crawled web, about (default 2000)
  --hosts N       hosts they are spread over, each a loopback address (default 50)
  --delay-ms N    wait between two requests to a host (default 200)
  --delivery MODE exactly-once (default) or at-least-once: transactions off
  --seed N        of the web and of the faults (default 1)
  --session-ms N  session timeout of the groups (default 3000)

  --keep FOLDER   keeps logs, inputs and outputs of the run there; new or empty
  --record FILE   puts the run into that file, in the place of the last one of its scenario

Exit code: 0 where every promise held, 1 where not (\`wrong\`, and \`slow\` for limits on time), 2 where the run failed.
`;

const sizes = { urls: 2000, hosts: 50, "delay-ms": 200, seed: 1, "session-ms": 3000 };
const defaults: Readonly<Record<string, number>> = {
  ...sizes,
  ...Object.fromEntries(scenarios.map((flag) => [flag, 0])),
};

const { values } = parseArgs({
  options: {
    delivery: { type: "string", default: "exactly-once" },
    keep: { type: "string" },
    record: { type: "string" },
    help: { type: "boolean", default: false },
    ...Object.fromEntries(Object.keys(defaults).map((flag) => [flag, { type: "string" as const }])),
  },
});

function flag(name: ScenarioFlag | keyof typeof sizes): number {
  const given = (values as Readonly<Record<string, unknown>>)[name];
  const value = Number(given ?? defaults[name]);
  if (!Number.isSafeInteger(value) || value < 0)
    throw new Error(`--${name}: ${String(given)} is not a number`);
  return value;
}

/** A crawl that is small holds after few results, and has few under way then. */
const soonHeld = { SLUICE_FRONTIER_LAG_MAX: "300", SLUICE_FRONTIER_RELEASED_MAX: "20" };

/** Pages a host has for about so many URLs in all: a graph also has redirects and missing pages. */
function pagesPerHost(urls: number, hosts: number): number {
  return Math.max(1, Math.round(urls / hosts / 1.25));
}

/** What tells this run's kind from others. */
function scenarioName(plan: Plan, transactions: boolean): string {
  const played = scenarios.filter((each) => plan[each] > 0);
  return [
    ...(played.length > 0 ? played : ["no fault"]),
    ...(transactions ? [] : ["at-least-once"]),
    ...(flag("urls") >= 1_000_000 ? ["a million URLs"] : []),
  ].join(", ");
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const { keep, record, delivery } = values;
  const commit = record === undefined ? "" : commitHere(record);
  const dir = keep === undefined ? mkdtempSync(join(tmpdir(), "sluice-chaos-")) : emptyFolder(keep);
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const plan = Object.fromEntries(scenarios.map((each) => [each, flag(each)])) as Plan;
  const transactions = delivery !== "at-least-once";
  const isHeld = plan["stall-s"] > 0 || plan["disk-s"] > 0;
  const disk = plan["disk-s"] > 0 ? SmallDisk.open(join(dir, "results")) : null;
  const world = await World.open({
    dir,
    hosts: flag("hosts"),
    pagesPerHost: pagesPerHost(flag("urls"), flag("hosts")),
    seed: flag("seed"),
    delayMs: flag("delay-ms"),
    partitions: 12,
    sessionTimeoutMs: flag("session-ms"),
    env: { SLUICE_DELIVERY: delivery, ...(isHeld ? soonHeld : {}) },
    keepsResults: !transactions && plan["soak-s"] === 0,
    proxied: plan.network > 0,
    log,
  });
  const close = async (): Promise<void> => {
    await world.close();
    disk?.close();
    if (keep === undefined) rmSync(dir, { recursive: true, force: true });
  };
  const giveUp = (signal: NodeJS.Signals): void => {
    log(`ended by ${signal}`);
    // Else broker, services and mounts would outlive it.
    close().then(
      () => process.exit(2),
      () => process.exit(2),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, giveUp);
  try {
    const startedAtMs = performance.now();
    const findings = await play(world, plan, disk);
    const finishReason = await world.ended(transactions);
    await world.sunk();
    const seconds = (performance.now() - startedAtMs) / 1000;
    await world.fleet.stop();
    const verdict = await world.verify();
    const letters = plan.poison > 0 ? await world.verifyDeadLetters(Object.keys(poisoned)) : {};
    const { sessionTimeoutMs } = world.options;
    const pauses = pausesOf(verdict, sessionTimeoutMs);
    const wrong = [
      ...wrongOf(verdict, { kills: plan.kills, transactions }),
      ...wrongLetters(letters, plan.poison),
      ...findings.flatMap((each) => each.wrong),
      ...(transactions && finishReason !== "completed" ? [`the job ended as ${String(finishReason)}`] : []),
    ];
    const slow = [...pauses.slow, ...findings.flatMap((each) => each.slow)];
    for (const each of wrong) log(`WRONG: ${each}`);
    for (const each of slow) log(`SLOW: ${each}`);
    const line = {
      ...verdict,
      ...letters,
      seconds: Number(seconds.toFixed(1)),
      ...pauses.figures,
      ...Object.assign({}, ...findings.map(({ figures }) => figures)),
      wrong,
      slow,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (keep !== undefined) writeFileSync(join(dir, "verdict.json"), `${JSON.stringify(line)}\n`);
    if (record !== undefined) {
      const { pauses_ms: _, ...recorded } = line;
      recordRun(record, {
        scenario: scenarioName(plan, transactions),
        command: `npm run -s chaos -- ${commandFlags()}`,
        commit,
        date: new Date().toISOString().slice(0, 10),
        line: recorded,
      });
    }
    return wrong.length + slow.length === 0 ? 0 : 1;
  } finally {
    await close();
  }
}

/** What an earlier run has left would be judged with what this one does. */
function emptyFolder(path: string): string {
  const folder = resolve(path);
  if (existsSync(folder) && readdirSync(folder).length > 0) throw new Error(`--keep: ${folder} is not empty`);
  return folder;
}

/** As they were given, without those that only say where things go. */
function commandFlags(): string {
  return process.argv
    .slice(2)
    .filter(
      (each, index, all) => !/^--(keep|record)/.test(each) && !/^--(keep|record)$/.test(all[index - 1] ?? ""),
    )
    .join(" ");
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${messageOf(error)}\n`);
  return 2;
});
