import { describe, expect, it } from "vitest";
import {
  defaultLaunchPolicy,
  Launcher,
  type Death,
  type GivenUp,
  type ServiceProcess,
  type ServiceSpec,
} from "../src/launcher.ts";
import { FakeClock } from "./fake-clock.ts";

const spec = (name: string, more: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name,
  service: name.replace(/-\d+$/, ""),
  env: { SLUICE_INSTANCE: name },
  firstLifeEnv: {},
  logPath: `/logs/${name}.log`,
  ...more,
});

const crashed: Death = { code: 1, signal: null };
const killed: Death = { code: null, signal: "SIGKILL" };

class Life implements ServiceProcess {
  readonly pid: number;
  readonly signals: string[] = [];
  readonly ended: Promise<Death>;
  readonly die: (death: Death) => void;

  constructor(pid: number) {
    this.pid = pid;
    const { promise, resolve } = Promise.withResolvers<Death>();
    this.ended = promise;
    this.die = resolve;
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
    if (signal === "SIGKILL") this.die({ code: null, signal });
  }
}

function world() {
  const clock = new FakeClock();
  const lives: {
    readonly name: string;
    readonly atMs: number;
    readonly env: Readonly<Record<string, string>>;
    readonly life: Life;
  }[] = [];
  const givenUp: GivenUp[] = [];
  const delays: number[] = [];
  let pids: readonly number[] = [];
  const startedMs = clock.nowMs();
  const launcher = new Launcher({
    clock,
    policy: defaultLaunchPolicy,
    start: ({ name }, env) => {
      const life = new Life(100 + lives.length);
      lives.push({ name, atMs: clock.nowMs() - startedMs, env, life });
      return life;
    },
    onGivenUp: (reason) => givenUp.push(reason),
    onRestart: (_spec, _death, delayMs) => delays.push(delayMs),
    onChanged: (now) => {
      pids = now;
    },
  });
  const last = (): Life => {
    const found = lives.at(-1)?.life;
    if (found === undefined) throw new Error("nothing was started");
    return found;
  };
  return { clock, lives, givenUp, delays, launcher, last, pids: () => pids };
}

describe("launcher", () => {
  it("waits twice as long with each death in a row and gives up at the fifth within a minute", async () => {
    const { clock, lives, givenUp, delays, launcher, last } = world();
    launcher.start([spec("frontier-1")]);
    for (let death = 1; death <= 4; death += 1) {
      last().die(crashed);
      await clock.advance(10_000);
    }
    expect(delays).toEqual([250, 500, 1000, 2000]);
    expect(lives.map(({ atMs }) => atMs)).toEqual([0, 250, 10_500, 21_000, 32_000]);
    expect(givenUp).toEqual([]);
    last().die(crashed);
    await clock.advance(60_000);
    expect(givenUp).toEqual([{ spec: spec("frontier-1"), death: crashed, deaths: 5 }]);
    expect(lives).toHaveLength(5);
  });

  it("never waits longer than ten seconds", async () => {
    const { clock, delays, launcher, last } = world();
    launcher.start([spec("frontier-1")]);
    for (let death = 1; death <= 9; death += 1) {
      await clock.advance(16_000);
      last().die(crashed);
    }
    await clock.advance(20_000);
    expect(delays).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  it("begins the back-off anew after a life of thirty seconds", async () => {
    const { clock, delays, launcher, last } = world();
    launcher.start([spec("fetcher-1")]);
    last().die(crashed);
    await clock.advance(1000);
    last().die(crashed);
    await clock.advance(500 + 30_000);
    last().die(crashed);
    await clock.advance(1000);
    expect(delays).toEqual([250, 500, 250]);
  });

  it("goes on for ever where deaths are further apart than a minute holds five", async () => {
    const { clock, givenUp, lives, launcher, last } = world();
    launcher.start([spec("fetcher-1")]);
    for (let death = 0; death < 30; death += 1) {
      await clock.advance(15_001);
      last().die(killed);
    }
    await clock.advance(1);
    expect(givenUp).toEqual([]);
    expect(lives).toHaveLength(31);
  });

  it("starts a service that was killed from outside again at once", async () => {
    const { clock, lives, delays, launcher, last } = world();
    launcher.start([spec("fetcher-1")]);
    await clock.advance(5);
    last().die(killed);
    await clock.advance(0);
    expect(delays).toEqual([0]);
    expect(lives.map(({ atMs }) => atMs)).toEqual([0, 5]);
  });

  it("does not start a service again that refuses its settings", async () => {
    const { clock, lives, givenUp, launcher, last } = world();
    launcher.start([spec("fetcher-1")]);
    last().die({ code: 2, signal: null });
    await clock.advance(60_000);
    expect(lives).toHaveLength(1);
    expect(givenUp).toEqual([{ spec: spec("fetcher-1"), death: { code: 2, signal: null }, deaths: 1 }]);
  });

  it("counts the deaths of each service apart, and tells the first that is given up only", async () => {
    const { clock, lives, givenUp, launcher } = world();
    launcher.start([spec("fetcher-1"), spec("fetcher-2")]);
    for (let round = 0; round < 4; round += 1) {
      for (const { life } of lives.slice(-2)) life.die(killed);
      await clock.advance(10);
    }
    expect(givenUp).toEqual([]);
    for (const { life } of lives.slice(-2)) life.die(killed);
    await clock.advance(10);
    expect(givenUp.map(({ spec: { name } }) => name)).toEqual(["fetcher-1"]);
  });

  it("gives what is meant for the first life to the first life only", async () => {
    const { clock, lives, launcher, last } = world();
    launcher.start([spec("frontier-1", { firstLifeEnv: { SLUICE_FAILPOINT: "after_send:1" } })]);
    last().die(killed);
    await clock.advance(0);
    expect(lives.map(({ env }) => env)).toEqual([
      { SLUICE_INSTANCE: "frontier-1", SLUICE_FAILPOINT: "after_send:1" },
      { SLUICE_INSTANCE: "frontier-1" },
    ]);
  });

  it("stops with SIGTERM, kills what does not end in time, and starts none of it again", async () => {
    const { clock, lives, launcher, pids } = world();
    launcher.start([spec("frontier-1"), spec("result-sink-1")]);
    let stopped = false;
    const stopping = launcher.stop(() => true, 1000).finally(() => (stopped = true));
    lives[0]?.life.die({ code: 0, signal: null });
    await clock.advance(999);
    expect(lives.map(({ life }) => life.signals)).toEqual([["SIGTERM"], ["SIGTERM"]]);
    expect(stopped).toBe(false);
    await clock.advance(1);
    await clock.advance(60_000);
    expect(lives.map(({ life }) => life.signals)).toEqual([["SIGTERM"], ["SIGTERM", "SIGKILL"]]);
    await stopping;
    expect(lives).toHaveLength(2);
    expect(pids()).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  it("does not start a service that waits for its next start when it is stopped", async () => {
    const { clock, lives, launcher, last } = world();
    launcher.start([spec("frontier-1")]);
    last().die(crashed);
    await clock.advance(1);
    await launcher.stop(() => true, 1000);
    await clock.advance(60_000);
    expect(lives).toHaveLength(1);
  });

  it("stops only the chosen services", async () => {
    const { clock, lives, launcher, pids } = world();
    launcher.start([spec("frontier-1"), spec("result-sink-1")]);
    const stopping = launcher.stop(({ service }) => service !== "result-sink", 1000);
    lives[0]?.life.die({ code: 0, signal: null });
    await stopping;
    lives[1]?.life.die(killed);
    await clock.advance(0);
    expect(lives.map(({ name }) => name)).toEqual(["frontier-1", "result-sink-1", "result-sink-1"]);
    expect(pids()).toEqual([102]);
  });

  it("sends one SIGTERM only, however often a service is stopped", async () => {
    const { lives, launcher } = world();
    launcher.start([spec("frontier-1")]);
    const both = [launcher.stop(() => true, 1000), launcher.stop(() => true, 1000)];
    lives[0]?.life.die({ code: 0, signal: null });
    await Promise.all(both);
    expect(lives[0]?.life.signals).toEqual(["SIGTERM"]);
  });

  it("kills all at once, and none comes back", async () => {
    const { clock, lives, launcher } = world();
    launcher.start([spec("frontier-1"), spec("fetcher-1")]);
    launcher.kill();
    await clock.advance(60_000);
    expect(lives.map(({ life }) => life.signals)).toEqual([["SIGKILL"], ["SIGKILL"]]);
    expect(lives).toHaveLength(2);
  });
});
