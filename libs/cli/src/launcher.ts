/** Keeps services running: starts them, restarts the dead with back-off, gives up where one dies again and again. */
import type { Clock } from "@sluice/runtime";

export interface Death {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One life of one service. */
export interface ServiceProcess {
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the process is gone; also where it could not be started. */
  readonly ended: Promise<Death>;
}

export interface ServiceSpec {
  /** `<service>-<n>`, unique. */
  readonly name: string;
  readonly service: string;
  readonly env: Readonly<Record<string, string>>;
  /** Added to the environment of the first life only: for tests, which kill it once. */
  readonly firstLifeEnv: Readonly<Record<string, string>>;
  readonly logPath: string;
}

export interface LaunchPolicy {
  /** Wait before the second start; doubles with each death in a row. */
  readonly backOffMs: number;
  readonly backOffMaxMs: number;
  /** A life this long makes the next death the first of its row. */
  readonly stableMs: number;
  /** So many deaths of one service within `deathsSpanMs`, and the launcher gives up. */
  readonly deathsMax: number;
  readonly deathsSpanMs: number;
}

export const defaultLaunchPolicy: LaunchPolicy = {
  backOffMs: 250,
  backOffMaxMs: 10_000,
  stableMs: 30_000,
  deathsMax: 5,
  deathsSpanMs: 60_000,
};

/** Services exit with it where a setting is wrong: another start would end the same way. */
const configExitCode = 2;

export interface GivenUp {
  readonly spec: ServiceSpec;
  readonly death: Death;
  /** How often it died within the span. */
  readonly deaths: number;
}

export interface LauncherOptions {
  readonly clock: Clock;
  readonly policy: LaunchPolicy;
  readonly start: (spec: ServiceSpec, env: Readonly<Record<string, string>>) => ServiceProcess;
  /** Called once; the other services run on until they are stopped. */
  readonly onGivenUp: (reason: GivenUp) => void;
  readonly onRestart: (spec: ServiceSpec, death: Death, delayMs: number) => void;
  /** A life has begun or ended: the ids of the processes that live now. */
  readonly onChanged: (pids: readonly number[]) => void;
}

class Watched {
  readonly spec: ServiceSpec;
  lives = 0;
  process: ServiceProcess | null = null;
  /** When the present life began. */
  sinceMs = 0;
  deathsInRow = 0;
  recentDeathsMs: readonly number[] = [];
  stopping = false;
  cancelRestart: (() => void) | null = null;
  ending: Promise<void> | null = null;

  constructor(spec: ServiceSpec) {
    this.spec = spec;
  }
}

export class Launcher {
  readonly #options: LauncherOptions;
  readonly #services: Watched[] = [];
  #givenUp = false;

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  start(specs: readonly ServiceSpec[]): void {
    for (const spec of specs) {
      const watched = new Watched(spec);
      this.#services.push(watched);
      this.#begin(watched);
    }
  }

  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when they are gone; none of them is started again. */
  async stop(chosen: (spec: ServiceSpec) => boolean, graceMs: number): Promise<void> {
    const stopping = this.#services.filter(({ spec }) => chosen(spec));
    await Promise.all(stopping.map((watched) => this.#end(watched, graceMs)));
  }

  /** SIGKILL to all, without waiting. */
  kill(): void {
    for (const watched of this.#services) {
      this.#forget(watched);
      watched.process?.kill("SIGKILL");
    }
  }

  #begin(watched: Watched): void {
    const { clock, start } = this.#options;
    const { spec } = watched;
    const process = start(spec, watched.lives === 0 ? { ...spec.env, ...spec.firstLifeEnv } : spec.env);
    watched.lives += 1;
    watched.process = process;
    watched.sinceMs = clock.monotonicMs();
    this.#tellPids();
    void process.ended.then((death) => this.#onDeath(watched, death));
  }

  #onDeath(watched: Watched, death: Death): void {
    const { clock, policy, onGivenUp, onRestart } = this.#options;
    watched.process = null;
    this.#tellPids();
    if (watched.stopping || this.#givenUp) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - watched.sinceMs >= policy.stableMs) watched.deathsInRow = 0;
    watched.deathsInRow += 1;
    watched.recentDeathsMs = [
      ...watched.recentDeathsMs.filter((atMs) => nowMs - atMs < policy.deathsSpanMs),
      nowMs,
    ];
    const deaths = watched.recentDeathsMs.length;
    if (death.code === configExitCode || deaths >= policy.deathsMax) {
      this.#givenUp = true;
      onGivenUp({ spec: watched.spec, death, deaths });
      return;
    }
    // Killed from outside, it has done nothing wrong.
    const delayMs =
      death.signal === "SIGKILL"
        ? 0
        : Math.min(policy.backOffMaxMs, policy.backOffMs * 2 ** (watched.deathsInRow - 1));
    onRestart(watched.spec, death, delayMs);
    watched.cancelRestart = clock.after(delayMs, () => {
      watched.cancelRestart = null;
      this.#begin(watched);
    });
  }

  /** A second SIGTERM would end a service at once, so each gets one only, however often it is stopped. */
  #end(watched: Watched, graceMs: number): Promise<void> {
    this.#forget(watched);
    watched.ending ??= this.#terminate(watched.process, graceMs);
    return watched.ending;
  }

  async #terminate(process: ServiceProcess | null, graceMs: number): Promise<void> {
    if (process === null) return;
    process.kill("SIGTERM");
    const cancelKill = this.#options.clock.after(graceMs, () => process.kill("SIGKILL"));
    await process.ended;
    cancelKill();
  }

  #forget(watched: Watched): void {
    watched.stopping = true;
    watched.cancelRestart?.();
    watched.cancelRestart = null;
  }

  #tellPids(): void {
    this.#options.onChanged(this.#services.flatMap(({ process }) => process?.pid ?? []));
  }
}

/** `exited with code 1`, `was ended by SIGKILL`. */
export function deathText({ code, signal }: Death): string {
  if (signal !== null) return `was ended by ${signal}`;
  return code === null ? "could not be started" : `exited with code ${code}`;
}
