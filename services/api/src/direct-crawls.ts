/** Runs every service inside this process as long as there is a job that is not distributed. */
import { messageOf } from "@sluice/errors";
import type { HostableService, HostedService, ServiceHost } from "@sluice/process";
import type { Clock } from "@sluice/runtime";

export interface DirectCrawlsOptions {
  readonly services: readonly HostableService[];
  readonly host: ServiceHost;
  readonly clock: Clock;
  /** Whether such a job has not ended, by the topics. */
  readonly isWanted: () => boolean;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Each join and each leaving stops the groups for a moment: batches that follow each other share one. */
const lingerMs = 30_000;
const retryMs = 5000;

/**
 * Topics alone say whether the services run: every process of the API comes to the same by itself, and one that
 * is started after a crash goes on with what was left.
 */
export class DirectCrawls {
  readonly #options: DirectCrawlsOptions;
  #running: readonly HostedService[] = [];
  #cancelTimer: (() => void) | null = null;
  #closed = false;
  /** One change after the other. */
  #changes: Promise<void> = Promise.resolve();
  #changing = false;

  constructor(options: DirectCrawlsOptions) {
    this.#options = options;
  }

  get running(): readonly HostedService[] {
    return this.#running;
  }

  /** Called whenever what is known of jobs may have changed. */
  look(): void {
    if (this.#closed || this.#changing) return;
    const runs = this.#running.length > 0;
    if (this.#options.isWanted() === runs) {
      this.#cancelTimer?.();
      this.#cancelTimer = null;
    } else if (!runs) {
      if (this.#cancelTimer === null) this.#change(() => this.#start());
    } else if (this.#cancelTimer === null) {
      this.#later(lingerMs, () => this.#stop());
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#changes;
    await this.#stop();
  }

  #later(delayMs: number, change: () => Promise<void>): void {
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#change(change);
    });
  }

  #change(change: () => Promise<void>): void {
    if (this.#closed) return;
    this.#changing = true;
    this.#changes = change().finally(() => {
      this.#changing = false;
      this.look();
    });
  }

  async #start(): Promise<void> {
    const { services, host, log } = this.#options;
    log("direct_starting", { services: services.map(({ name }) => name) });
    const started = await Promise.allSettled(services.map((each) => each.start(host)));
    const running = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const failure = started.find((each) => each.status === "rejected");
    if (failure === undefined) {
      this.#running = running;
      return;
    }
    log("direct_not_started", { message: messageOf(failure.reason) });
    await stopAll(running);
    // Until then `look` sees a timer and leaves it alone.
    this.#later(retryMs, async () => undefined);
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    if (running.length === 0) return;
    this.#options.log("direct_stopping", { services: running.map(({ name }) => name) });
    this.#running = [];
    await stopAll(running);
  }
}

async function stopAll(services: readonly HostedService[]): Promise<void> {
  await Promise.all(services.map((each) => each.stop()));
}
