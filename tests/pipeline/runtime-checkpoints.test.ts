import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskStores, type StateStores } from "@sluice/runtime";
import { describe, expect, it, onTestFinished } from "vitest";
import { asking, Bench, benchStep, numbered, type Life } from "./bench.ts";

const partitions = 3;

/** Goes on for so long with a seed a second, and gives the longest that any state was left meanwhile. */
async function longestMs(bench: Bench, life: Life, seconds: number): Promise<number> {
  let longest = 0;
  for (let second = 0; second < seconds; second += 1) {
    await bench.seeds(numbered(`s${second}`, 1), second % partitions);
    await bench.pass(1000);
    longest = Math.max(longest, life.service.figures().checkpointAgeMs ?? 0);
  }
  return longest;
}

function storesFor(bench: Bench): () => StateStores {
  const dir = mkdtempSync(join(tmpdir(), "sluice-checkpoints-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return () => diskStores({ dir, instance: "a", nowMs: () => bench.clock.nowMs(), onEvent: () => undefined });
}

describe("checkpoints of state", () => {
  it("come every 30 s unless set otherwise, for each task", async () => {
    for (const { limits, mostMs } of [
      { limits: {}, mostMs: 30_000 },
      { limits: { checkpointMs: 5000 }, mostMs: 5000 },
    ]) {
      const bench = await Bench.open({ partitions });
      const stores = storesFor(bench);
      const life = await bench.begin("a", { stores: stores(), limits });
      await longestMs(bench, life, mostMs / 1000);
      const longest = await longestMs(bench, life, (mostMs / 1000) * 2);
      expect(longest).toBeLessThanOrEqual(mostMs);
      expect(longest).toBeGreaterThan(mostMs / 2);
      expect(life.fatal).toEqual([]);
    }
  });

  it("hold up no request, and wait for none that is under way", async () => {
    const bench = await Bench.open();
    const stores = storesFor(bench);
    const step = benchStep((state, input, nowMs, context) => [
      ...asking.step(state, input, nowMs, context),
      ...(input.kind === "settled" ? [{ kind: "put" as const, key: input.callId, value: nowMs }] : []),
    ]);
    const life = await bench.begin("a", { step, stores: stores() });
    const nobodyAnswers = (): boolean => life.open.some(({ request }) => request === "slow");
    await bench.seeds(["slow"]);
    await bench.pass(1000);
    const agesMs = [0];
    for (let second = 0; second < 90; second += 1) {
      const cameAtMs = bench.clock.nowMs();
      await bench.seeds([`u${second}`]);
      await bench.pass(1000);
      const request = life.asked.find((each) => each.request === `u${second}`);
      expect(request?.startedAtMs).toBeLessThan(cameAtMs + 1000);
      request?.answer();
      agesMs.push(life.service.figures().checkpointAgeMs ?? 0);
    }
    expect(nobodyAnswers()).toBe(true);
    const checkpoints = agesMs.filter((ageMs, at) => ageMs < (agesMs[at - 1] ?? 0));
    expect(checkpoints.length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...agesMs)).toBeLessThanOrEqual(30_000);
    expect(life.fatal).toEqual([]);
  });

  it("cost a killed process no more of its changelog than was written since the last one", async () => {
    const bench = await Bench.open({ partitions });
    const stores = storesFor(bench);
    const before = stores();
    const life = await bench.begin("a", { stores: before });
    await longestMs(bench, life, 60);
    const written = bench.outputs().length;
    await longestMs(bench, life, 30);
    life.client.kill();
    before.close();
    const again = await bench.begin("a", { stores: stores() });
    const running = again.named("task_running");
    expect(running).toHaveLength(partitions);
    // Each commit has a change and a marker.
    const kept = running.reduce((sum, { readFrom }) => sum + Number(readFrom), 0);
    expect(kept).toBeGreaterThanOrEqual(written);
    const counts = again.service.states().map(({ state }) => Number(state.get("count")));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(90);
  });
});
