/** Stops the services of a crawl so that nothing crawled stays unwritten. */
import type { Clock } from "@sluice/runtime";
import type { GroupBacklog } from "@sluice/process";
import type { Launcher } from "./launcher.ts";
import { sinkService } from "./service-specs.ts";

export interface OrderlyStopOptions {
  readonly clock: Clock;
  readonly launcher: Pick<Launcher, "stop">;
  /** Of the frontier, which counts outcomes. */
  readonly outcomes: GroupBacklog;
  /** Of the result-sink. */
  readonly results: GroupBacklog;
  /** How long a service may take to end, until it is killed. */
  readonly graceMs: number;
  /** Whether there is no use in waiting for that service. */
  readonly isDead: (service: string) => boolean;
}

/** How long a service may take to deal with what others have left it, where the job goes on another time. */
const clearMs = 10_000;

export class OrderlyStop {
  readonly #options: OrderlyStopOptions;

  constructor(options: OrderlyStopOptions) {
    this.#options = options;
  }

  /** The job has ended: only results are left to be written. Whether they were; false where `givenUp` came first. */
  async afterEnd(givenUp: () => boolean): Promise<boolean> {
    const others = this.#stop((service) => service !== sinkService);
    const written = await this.#options.results.cleared(givenUp);
    await Promise.all([others, this.#stop(() => true)]);
    return written;
  }

  /** The job goes on another time: fetchers end first, then whoever counts their outcomes, last the sink. */
  async midway(): Promise<void> {
    const { outcomes, results } = this.#options;
    await this.#stop((service) => service === "fetcher");
    await outcomes.cleared(this.#limit("frontier"));
    await this.#stop((service) => service !== sinkService);
    await results.cleared(this.#limit(sinkService));
    await this.#stop(() => true);
  }

  #stop(chosen: (service: string) => boolean): Promise<void> {
    return this.#options.launcher.stop(({ service }) => chosen(service), this.#options.graceMs);
  }

  #limit(service: string): () => boolean {
    const { clock, isDead } = this.#options;
    const untilMs = clock.monotonicMs() + clearMs;
    return () => isDead(service) || clock.monotonicMs() >= untilMs;
  }
}
