/** Runs the fetcher's shell against the hostile server. */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { nodeEnvironment, nodeFlags } from "@sluice/process";
import { goodHost, HostileServer, largePath } from "./hostile-server.ts";
import type { Threat } from "./threat.ts";
import type { VictimOrder, VictimReport, VictimTarget } from "./victim.ts";

export interface Exposure {
  readonly threat: Threat;
  /** Deadline of its fetches. */
  readonly totalTimeoutMs: number;
  /** Undefined where the process ended before it. */
  readonly report: VictimReport | undefined;
}

export interface Exposed {
  /** Resident memory of the process when it had read a large page, and had met no threat yet. */
  readonly warmBytes: number;
  readonly exposures: readonly Exposure[];
  readonly exitCode: number | null;
  /** What the process said on its way, crashes above all. */
  readonly stderr: string;
}

export interface ExposeOptions {
  readonly bodyBytesMax: number;
  readonly times: number;
  /** False: one threat after the other with no time to clean up between them, after a large good page. */
  readonly collects?: boolean;
}

const totalTimeoutMs = 20_000;

const warmUp = "warm-up";
const warmUpTimes = 60;

/** One process meets all threats, each `times` at once. */
export async function expose(
  threats: readonly Threat[],
  { bodyBytesMax, times, collects = true }: ExposeOptions,
): Promise<Exposed> {
  await using server = await HostileServer.start();
  const targetOf = (threat: Threat): VictimTarget => ({
    name: threat.name,
    url: server.url(threat),
    fetch: { totalTimeoutMs, bodyBytesMax, ...threat.fetch },
    times,
  });
  // Those that only wait do it together; of the others each is alone, so that what it costs is its own.
  const waiting = threats.filter(({ row }) => row === "slow body or header");
  const good = {
    name: "good",
    url: `http://${goodHost}:${server.port}/`,
    fetch: { totalTimeoutMs },
    times: 1,
  };
  const groups = [
    // A process that has made no request yet spends its first one on loading code.
    [good],
    // And one that has read nothing yet grows by what its collectors and its threads for reading work in.
    [{ ...good, name: warmUp, url: good.url + largePath, times: warmUpTimes }],
    waiting.map(targetOf),
    ...threats.filter((threat) => !waiting.includes(threat)).map((threat) => [targetOf(threat)]),
  ];
  const victim = spawn(process.execPath, [...nodeFlags, "--expose-gc", `${import.meta.dirname}/victim.ts`], {
    env: { ...nodeEnvironment, ...process.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const exited = new Promise<number | null>((resolve) => victim.once("exit", (code) => resolve(code)));
  victim.stdin.end(JSON.stringify({ port: server.port, groups, collects } satisfies VictimOrder));
  const [stdout, stderr, exitCode] = await Promise.all([text(victim.stdout), text(victim.stderr), exited]);
  const reports = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as VictimReport);
  const take = (wanted: string): VictimReport | undefined => {
    const at = reports.findIndex(({ name }) => name === wanted);
    return at < 0 ? undefined : reports.splice(at, 1)[0];
  };
  const exposures = threats.map((threat) => ({
    threat,
    totalTimeoutMs: threat.fetch?.totalTimeoutMs ?? totalTimeoutMs,
    report: take(threat.name),
  }));
  const warmBytes = take(warmUp)?.peakBytes ?? Number.NaN;
  return { exposures, exitCode, stderr, warmBytes };
}
