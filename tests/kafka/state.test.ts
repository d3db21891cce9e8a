import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { Fleet } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { Origin } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

type Line = Readonly<Record<string, unknown>>;

/** Every file of a task's state below the folder. */
function stateFiles(dir: string): readonly string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => /task-\d+\.db$/.test(name))
    .map((name) => join(dir, name));
}

describe("the frontier's state on its disk", () => {
  it("is continued from the end of the changelog after kill -9, from its very end after a stop, and rebuilt where it is of no use", async () => {
    const addresses = loopback(41, 12);
    let port = 0;
    const graph = new Graph({
      hosts: addresses,
      pagesPerHost: 24,
      port: () => port,
      seed: 41,
      crossLinks: 2,
    });
    const origin = await Origin.start(addresses, (host, path) => graph.site(host, path));
    cleanups.push(() => origin.close());
    port = origin.port;
    const prefix = `state-test-${process.pid}.`;
    const observer = await Observer.open(testBrokers(), prefix, 4);
    cleanups.push(() => observer.close());
    const dir = mkdtempSync(join(tmpdir(), "sluice-state-"));
    cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
    const state = join(dir, "state");
    const fleet = new Fleet(dir, {
      KAFKA_BROKERS: testBrokers().join(","),
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: "4",
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      SLUICE_SESSION_TIMEOUT_MS: "3000",
      SLUICE_CHECKPOINT_MS: "1000",
    });
    cleanups.push(() => fleet.stop());
    for (const service of ["frontier", "rate-limit", "fetcher"] as const) fleet.start(service);
    const seed = graph.url(0, "/");
    await observer.submit({
      id: "state",
      seeds: [seed],
      scope: { kind: "any" },
      politeness: { delayMs: 100 },
    });
    const expected = graph.reachable([seed]);
    const share = (part: number): Promise<unknown> =>
      observer.until(`${part} of the results`, () => observer.results.length >= part * expected.size);
    /** Tasks as they began to run, in order, over all lives. */
    const running = (): readonly Line[] =>
      fleet
        .log("frontier", 0)
        .filter((line) => line["event"] === "task_running" || line["msg"] === "task_running");
    const lifeAfter = async (begun: number): Promise<readonly Line[]> => {
      await observer.until("the tasks run again", () => running().length >= begun + 4);
      return running().slice(begun, begun + 4);
    };
    const readOf = ({ readFrom, readTo }: Line): number => Number(readTo) - Number(readFrom);

    await share(0.3);
    let begun = running().length;
    fleet.kill("frontier", 0, "SIGKILL");
    const afterKill = await lifeAfter(begun);
    for (const line of afterKill) expect(Number(line["readFrom"])).toBeGreaterThan(0);
    const tail = afterKill.reduce((sum, line) => sum + readOf(line), 0);
    const whole = afterKill.reduce((sum, line) => sum + Number(line["readTo"]), 0);
    expect(tail).toBeLessThan(whole);

    await share(0.6);
    begun = running().length;
    fleet.kill("frontier", 0, "SIGTERM");
    const afterStop = await lifeAfter(begun);
    // Markers of transactions are all that may follow the last record.
    for (const line of afterStop) expect(readOf(line)).toBeLessThan(10);

    await share(0.8);
    begun = running().length;
    await fleet.retire("frontier", 0);
    const [spoiled] = stateFiles(state).filter((path) => path.includes("frontier"));
    // While nobody has it open: a version that its next owner does not know.
    const db = new DatabaseSync(spoiled ?? "");
    db.exec("PRAGMA user_version = 99");
    db.close();
    fleet.start("frontier");
    const afterSpoil = await lifeAfter(begun);
    expect(afterSpoil.filter((line) => line["readFrom"] === 0)).toHaveLength(1);
    expect(JSON.stringify(fleet.log("frontier", 0))).toContain("state_discarded");

    const status = await observer.ended("state");
    expect(observer.results.map(({ url }) => url).sort()).toEqual([...expected].sort());
    expect(status.admitted).toBe(status.done + status.failed + status.skipped);
  });
});
