import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, existsSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { nodeEnvironment, nodeFlags } from "@sluice/process";

export type ServiceName = "frontier" | "rate-limit" | "fetcher" | "result-sink" | "api";

/** One that ended, by whatever way. */
export interface Death {
  readonly service: ServiceName;
  readonly index: number;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  /** The failpoint it was started with. */
  readonly failpoint: string | null;
}

interface Member {
  readonly service: ServiceName;
  readonly index: number;
  readonly startedAtMs: number;
  process: ChildProcess | null;
  /** Environment of each of its lives. */
  readonly always: Readonly<Record<string, string>>;
  /** Environments of the next starts, one each, e.g. a failpoint. */
  next: readonly Readonly<Record<string, string>>[];
  deaths: number;
  log: WriteStream | null;
}

/**
 * Services as processes of their own, started again when they die, as a supervisor would. What a test
 * claims of Kafka is shown here and not in one process.
 */
export class Fleet {
  readonly #env: Readonly<Record<string, string>>;
  readonly #dir: string;
  readonly #members: Member[] = [];
  readonly #graveyard: Death[] = [];
  #stopping = false;

  constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.#dir = dir;
    this.#env = env;
    mkdirSync(dir, { recursive: true });
  }

  /** `once` is the environment of its first life, `always` of each. */
  start(
    service: ServiceName,
    index = 0,
    once: Readonly<Record<string, string>> = {},
    always: Readonly<Record<string, string>> = {},
  ): void {
    const startedAtMs = Date.now();
    const member: Member = {
      service,
      index,
      startedAtMs,
      process: null,
      always,
      next: [once],
      deaths: 0,
      log: null,
    };
    this.#members.push(member);
    this.#spawn(member);
  }

  kill(service: ServiceName, index: number, signal: NodeJS.Signals): void {
    this.#member(service, index).process?.kill(signal);
  }

  /** Environments of the next lives, one each; those after them have none of their own. */
  arm(service: ServiceName, index: number, ...next: readonly Readonly<Record<string, string>>[]): void {
    this.#member(service, index).next = next;
  }

  /** All deaths in order, those at the end of the fleet left out. */
  get graveyard(): readonly Death[] {
    return this.#graveyard;
  }

  get members(): readonly {
    readonly service: ServiceName;
    readonly index: number;
    readonly pid: number | undefined;
  }[] {
    return this.#members.map(({ service, index, process: child }) => ({ service, index, pid: child?.pid }));
  }

  deaths(service: ServiceName, index: number): number {
    return this.#member(service, index).deaths;
  }

  pid(service: ServiceName, index: number): number | undefined {
    return this.#member(service, index).process?.pid;
  }

  /** Ends one for good, gracefully. */
  async retire(service: ServiceName, index: number): Promise<void> {
    const member = this.#member(service, index);
    this.#members.splice(this.#members.indexOf(member), 1);
    await end(member.process);
  }

  /** Lines of the log of a member, over all its lives. */
  log(service: ServiceName, index: number): readonly Readonly<Record<string, unknown>>[] {
    const path = this.#path(service, index);
    if (!existsSync(path)) return [];
    return readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Resolves when the member has joined its group since it was started. */
  async joined(service: ServiceName, index: number, withinMs = 60_000): Promise<void> {
    const untilMs = performance.now() + withinMs;
    const { startedAtMs } = this.#member(service, index);
    const isOwn = ({ time }: Readonly<Record<string, unknown>>): boolean =>
      Date.parse(String(time)) >= startedAtMs;
    while (!this.log(service, index).some((line) => line["event"] === "joined" && isOwn(line))) {
      if (performance.now() > untilMs) throw new Error(`${service}-${index} has not joined its group`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#members.map(({ process: child }) => end(child)));
  }

  #spawn(member: Member): void {
    const [once = {}, ...next] = member.next;
    member.next = next;
    const child = spawn(process.execPath, [...nodeFlags, `services/${member.service}/src/main.ts`], {
      env: {
        ...nodeEnvironment,
        ...process.env,
        SLUICE_STATE_DIR: join(this.#dir, "state"),
        ...this.#env,
        SLUICE_INSTANCE: `${member.service}-${member.index}`,
        ...member.always,
        ...once,
      },
      stdio: ["ignore", "inherit", "pipe"],
    });
    const failpoint = once["SLUICE_FAILPOINT"] ?? null;
    member.process = child;
    member.log ??= createWriteStream(this.#path(member.service, member.index), { flags: "a" });
    child.stderr?.pipe(member.log, { end: false });
    child.once("exit", (code, signal) => {
      member.deaths += 1;
      if (!this.#stopping && this.#members.includes(member)) {
        const { service, index } = member;
        this.#graveyard.push({ service, index, atMs: Date.now(), signal, code, failpoint });
      }
      if (!this.#stopping && this.#members.includes(member)) setTimeout(() => this.#respawn(member), 250);
    });
  }

  #respawn(member: Member): void {
    if (!this.#stopping && this.#members.includes(member)) this.#spawn(member);
  }

  #member(service: ServiceName, index: number): Member {
    const found = this.#members.find((each) => each.service === service && each.index === index);
    if (found === undefined) throw new Error(`no ${service}-${index}`);
    return found;
  }

  #path(service: ServiceName, index: number): string {
    return join(this.#dir, `${service}-${index}.log`);
  }
}

/** SIGTERM, and SIGKILL where that does not help in time. */
async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await exited;
  clearTimeout(timer);
}
