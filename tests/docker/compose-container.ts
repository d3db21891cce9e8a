/** A container of testcontainers that is started as the compose file says. */
import { spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import {
  GenericContainer,
  type StartedNetwork,
  type StartedTestContainer,
  type WaitStrategy,
} from "testcontainers";
import { durationMs, sizeBytes, type ComposeService } from "./compose.ts";
import { docker, lastWords } from "./engine.ts";

/** Containers, volumes and the network of one test, all removed at its end, however it ends. */
export class Leftovers {
  readonly containers: string[] = [];
  readonly volumes = new Set<string>();
  readonly #onExit = (): void => this.remove();

  constructor() {
    process.once("exit", this.#onExit);
  }

  remove(): void {
    process.off("exit", this.#onExit);
    if (this.containers.length > 0) this.#docker("rm", "--force", "--volumes", ...this.containers.splice(0));
    if (this.volumes.size > 0) this.#docker("volume", "rm", "--force", ...this.volumes);
    this.volumes.clear();
  }

  #docker(...args: readonly string[]): void {
    spawnSync("docker", args, { stdio: "ignore", timeout: 60_000 });
  }
}

export interface Placement {
  /** Its name in the network, and so in the settings of the others. */
  readonly name: string;
  readonly image: string;
  readonly network: StartedNetwork;
  readonly leftovers: Leftovers;
  /** Put before the names of volumes, which belong to the engine and not to the test. */
  readonly prefix: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** By port of the container: the one of this machine on loopback, 0 for any. */
  readonly ports?: Readonly<Record<number, number>>;
}

/** On a machine with other work to do. */
const startMs = 240_000;

/** testcontainers removes what does not come up in time, and with it all that it wrote: the waiting is done here. */
const noWaiting: WaitStrategy = {
  waitUntilReady: async () => {},
  withStartupTimeout: () => noWaiting,
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => startMs,
};

class ComposeContainer extends GenericContainer {
  readonly #service: ComposeService;
  readonly #placement: Placement;

  constructor(service: ComposeService, placement: Placement) {
    super(placement.image);
    this.#service = service;
    this.#placement = placement;
    const { healthcheck: health, network_mode: networkMode } = service;
    const given = Object.entries(service.environment ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    );
    this.withEnvironment({ ...Object.fromEntries(given), ...placement.environment });
    if (service.command !== undefined) this.withCommand([...service.command]);
    if (networkMode === undefined) this.withNetwork(placement.network).withNetworkAliases(placement.name);
    else this.withNetworkMode(networkMode);
    this.withExposedPorts(...Object.keys(placement.ports ?? {}).map(Number));
    this.withWaitStrategy(noWaiting);
    if (health !== undefined && "test" in health)
      this.withHealthCheck({
        test: health.test as ["CMD", ...string[]],
        interval: durationMs(health.interval),
        timeout: durationMs(health.timeout),
        retries: health.retries,
        startPeriod: durationMs(health.start_period),
      });
  }

  protected override async beforeContainerCreated(): Promise<void> {
    const { read_only, cap_drop, security_opt, tmpfs, mem_limit, cpus, volumes, restart } = this.#service;
    const { ports = {}, prefix, leftovers } = this.#placement;
    const host = this.hostConfig;
    // testcontainers would publish on every address of the machine.
    host.PortBindings = Object.fromEntries(
      Object.entries(ports).map(([inside, outside]) => [
        `${inside}/tcp`,
        [{ HostIp: "127.0.0.1", HostPort: outside === 0 ? "" : String(outside) }],
      ]),
    );
    host.Binds = (volumes ?? []).map((volume) => prefix + volume);
    for (const volume of host.Binds) leftovers.volumes.add(volume.split(":")[0] ?? "");
    host.RestartPolicy = { Name: restart };
    host.Memory = sizeBytes(mem_limit);
    if (cpus !== undefined) host.NanoCpus = cpus * 1e9;
    if (read_only !== undefined) host.ReadonlyRootfs = read_only;
    if (cap_drop !== undefined) host.CapDrop = [...cap_drop];
    if (security_opt !== undefined) host.SecurityOpt = [...security_opt];
    if (tmpfs !== undefined) host.Tmpfs = Object.fromEntries(tmpfs.map((path) => [path, ""]));
  }

  protected override async containerCreated(id: string): Promise<void> {
    this.#placement.leftovers.containers.push(id);
  }
}

/**
 * Starts it and resolves when it is healthy, or has ended well where it is to run once. Rejects with the last that it
 * wrote where that does not come in time.
 */
export async function startService(
  service: ComposeService,
  placement: Placement,
): Promise<StartedTestContainer> {
  const container = await new ComposeContainer(service, placement).start();
  const once = service.restart === "on-failure";
  const wanted = once ? "exited 0" : "running healthy";
  const format = `{{.State.Status}} {{${once ? ".State.ExitCode" : ".State.Health.Status"}}}`;
  const untilMs = performance.now() + startMs;
  let state = "";
  while (state !== wanted) {
    // One that has died and is started again would die again.
    if (performance.now() > untilMs || state.startsWith("restarting"))
      throw new Error(`${placement.name} is ${state}, not ${wanted}: ${await lastWords(container.getId())}`);
    await sleep(500);
    state = (await docker("inspect", "--format", format, container.getId())).trim();
  }
  return container;
}
