import { describe, expect, it } from "vitest";
import { FakeClock, seededRandom, serviceClock } from "../src/memory.ts";

describe("the fake clock", () => {
  it("fires timers by time, and equal times in the order they were set", async () => {
    const clock = new FakeClock(1_000);
    const fired: string[] = [];
    const set = (atMs: number, name: string) =>
      clock.setTimer(atMs, () => fired.push(`${name} at ${clock.nowMs()}`));
    set(1_020, "late");
    set(1_010, "first");
    set(1_010, "second");
    set(500, "overdue");
    const cancel = set(1_015, "cancelled");
    cancel();
    await clock.advance(19);
    expect(fired).toEqual(["overdue at 1000", "first at 1010", "second at 1010"]);
    expect(clock.nowMs()).toBe(1_019);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect(fired.at(-1)).toBe("late at 1020");
  });

  it("keeps the order with thousands of timers set and cancelled in any order", async () => {
    const clock = new FakeClock(0);
    const random = seededRandom(7);
    const fired: number[] = [];
    let expected = 0;
    for (let i = 0; i < 5_000; i++) {
      const atMs = random.between(0, 1_000);
      const cancel = clock.setTimer(atMs, () => fired.push(atMs));
      if (random.chance(0.3)) cancel();
      else expected++;
    }
    expect(await clock.runUntilIdle(1_000)).toBe(true);
    expect(fired).toHaveLength(expected);
    expect(fired).toEqual(fired.toSorted((a, b) => a - b));
  });

  it("lets chains of promises run dry before the next timer, however long they are", async () => {
    const clock = new FakeClock(0);
    const seen: string[] = [];
    clock.setTimer(1, () => {
      void (async () => {
        for (let i = 0; i < 500; i++) await Promise.resolve();
        seen.push("chain");
      })();
    });
    clock.setTimer(1, () => seen.push("timer"));
    await clock.advance(1);
    expect(seen).toEqual(["chain", "timer"]);
  });

  it("tells whether timers are left at the limit", async () => {
    const clock = new FakeClock(0);
    const beat = () => void clock.setTimer(clock.nowMs() + 10, beat);
    beat();
    expect(await clock.runUntilIdle(95)).toBe(false);
    expect(clock.nowMs()).toBe(95);
    expect(await new FakeClock(0).runUntilIdle(95)).toBe(true);
  });

  it("runs until a condition holds, and settles promises or says that it can't", async () => {
    const clock = new FakeClock(0);
    const later = new Promise<string>((resolve) => {
      clock.setTimer(40, () => resolve("done"));
    });
    expect(await clock.runUntil(() => clock.nowMs() >= 30, 20)).toBe(false);
    expect(await clock.settle(later)).toBe("done");
    expect(clock.nowMs()).toBe(40);
    await expect(clock.settle(new Promise(() => undefined), 100)).rejects.toThrow("not settled within 100");
  });
});

it("the runtime's clock runs on simulated time", async () => {
  const clock = new FakeClock(5_000);
  const service = serviceClock(clock);
  const seen: string[] = [];
  const cancel = service.after(10, () => seen.push("cancelled"));
  service.after(20, () => seen.push(`after at ${service.nowMs()}`));
  service.after(-5, () => seen.push("overdue"));
  service.soon(() => seen.push(`soon at ${service.monotonicMs()}`));
  cancel();
  await clock.advance(30);
  expect(seen).toEqual(["overdue", "soon at 5000", "after at 5020"]);
});

describe("the seeded dice", () => {
  it("roll the same for a seed, otherwise for another, and evenly", () => {
    const sequence = (seed: number, count: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: count }, () => random.between(0, 9));
    };
    expect(sequence(1, 50)).toEqual(sequence(1, 50));
    expect(sequence(1, 50)).not.toEqual(sequence(2, 50));
    const counts = Array.from(
      { length: 10 },
      (_, n) => sequence(3, 10_000).filter((roll) => roll === n).length,
    );
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it("give forks dice of their own, whatever was rolled before", () => {
    const random = seededRandom(5);
    const early = random.fork("a").next();
    random.next();
    expect(random.fork("a").next()).toBe(early);
    expect(random.fork("b").next()).not.toBe(early);
  });
});
