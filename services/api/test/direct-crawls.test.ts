import { FakeClock, serviceClock } from "@sluice/broker/memory";
import type { HostableService, ServiceHost } from "@sluice/process";
import { describe, expect, it } from "vitest";
import { DirectCrawls } from "../src/direct-crawls.ts";
import { joinMetrics } from "../src/metrics-text.ts";

/** Services that only write down what is done with them. */
class World {
  readonly clock = new FakeClock();
  readonly done: string[] = [];
  isWanted = false;
  failures = 0;
  readonly direct: DirectCrawls;

  constructor() {
    this.direct = new DirectCrawls({
      services: [this.#service("frontier"), this.#service("fetcher")],
      // Only handed on.
      host: {} as ServiceHost,
      clock: serviceClock(this.clock),
      isWanted: () => this.isWanted,
      log: () => undefined,
    });
  }

  #service(name: "frontier" | "fetcher"): HostableService {
    return {
      name,
      run: () => Promise.reject(new Error("not by itself")),
      checkSettings: () => undefined,
      start: async () => {
        if (name === "fetcher" && this.failures > 0) {
          this.failures -= 1;
          throw new Error("Kafka is away");
        }
        this.done.push(`start ${name}`);
        return {
          name,
          checks: () => ({}),
          metrics: async () => "",
          stop: async () => void this.done.push(`stop ${name}`),
        };
      },
    };
  }

  async look(isWanted: boolean, passMs = 0): Promise<readonly string[]> {
    this.isWanted = isWanted;
    this.direct.look();
    await this.pass(passMs);
    return this.done.splice(0);
  }

  async pass(ms: number): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    this.clock.advance(ms);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

const starts = ["start frontier", "start fetcher"];
const stops = ["stop frontier", "stop fetcher"];

describe("services inside the API's process", () => {
  it("run from the first direct job on, once, until a while after the last one has ended", async () => {
    const world = new World();
    expect(await world.look(false, 100_000)).toEqual([]);
    expect(await world.look(true)).toEqual(starts);
    expect(await world.look(true, 100_000)).toEqual([]);
    expect(await world.look(false, 29_000)).toEqual([]);
    // Another job in time spares a leaving and a joining.
    expect(await world.look(true, 100_000)).toEqual([]);
    expect(await world.look(false, 29_999)).toEqual([]);
    expect(await world.look(false, 1)).toEqual(stops);
    expect(await world.look(true)).toEqual(starts);
  });

  it("are all started again where one could not be", async () => {
    const world = new World();
    world.failures = 2;
    expect(await world.look(true)).toEqual(["start frontier", "stop frontier"]);
    expect(await world.look(true, 4999)).toEqual([]);
    expect(await world.look(true, 1)).toEqual(["start frontier", "stop frontier"]);
    expect(await world.look(true, 5000)).toEqual(starts);
    expect(world.direct.running.map(({ name }) => name)).toEqual(["frontier", "fetcher"]);
  });

  it("stop with the process, and start no more", async () => {
    const world = new World();
    await world.look(true);
    await world.direct.close();
    expect(await world.look(true, 100_000)).toEqual(stops);
    await world.direct.close();
    expect(world.done).toEqual([]);
  });
});

describe("metrics of several services", () => {
  it("stand together by name, each header once", () => {
    const text = (service: string) =>
      `# HELP a_total A.\n# TYPE a_total counter\na_total{service="${service}"} 1\n\n# HELP b_seconds B.\n# TYPE b_seconds histogram\nb_seconds_bucket{le="1",service="${service}"} 2\nb_seconds_count{service="${service}"} 3\n`;
    expect(joinMetrics([text("api")])).toBe(text("api"));
    expect(joinMetrics([text("api"), text("fetcher"), "# HELP c C.\n# TYPE c gauge\nc 1\n"])).toBe(
      [
        "# HELP a_total A.",
        "# TYPE a_total counter",
        'a_total{service="api"} 1',
        'a_total{service="fetcher"} 1',
        "",
        "# HELP b_seconds B.",
        "# TYPE b_seconds histogram",
        'b_seconds_bucket{le="1",service="api"} 2',
        'b_seconds_count{service="api"} 3',
        'b_seconds_bucket{le="1",service="fetcher"} 2',
        'b_seconds_count{service="fetcher"} 3',
        "",
        "# HELP c C.",
        "# TYPE c gauge",
        "c 1",
        "",
      ].join("\n"),
    );
  });
});
