import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resultSchema, type Result } from "@sluice/records";

const main = fileURLToPath(new URL("../../libs/cli/src/main.ts", import.meta.url));
const limitMs = 150_000;

/** `sluice crawl` as a user runs it: a process of its own, which starts the services. */
export class CrawlCommand {
  /** The exit code. Rejects with what was said where the command does not end in time. */
  readonly ended: Promise<number>;
  stdout = "";
  stderr = "";
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [main, "crawl", ...args], {
      env: { ...neutralEnv(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      for (const listener of this.#listeners) listener();
    });
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#child.kill("SIGKILL");
        reject(new Error(`crawl ${args.join(" ")} did not end within ${limitMs} ms:\n${this.stderr}`));
      }, limitMs);
      this.#child.once("close", (code, signal) => {
        clearTimeout(timer);
        if (code === null) reject(new Error(`crawl ${args.join(" ")} was ended by ${signal}`));
        else resolve(code);
        for (const listener of this.#listeners) listener();
      });
    });
    // Whoever awaits it is told; a test that has failed before does not.
    this.ended.catch(() => undefined);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves when stderr has the text; rejects where the command ends without it. */
  async says(text: string): Promise<void> {
    const isSaid = (): boolean => this.stderr.includes(text);
    if (isSaid()) return;
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!isSaid() && this.#child.exitCode === null && this.#child.signalCode === null) return;
        this.#listeners.delete(look);
        if (isSaid()) resolve();
        else reject(new Error(`the command ended without saying "${text}":\n${this.stderr}`));
      };
      this.#listeners.add(look);
    });
  }

  /** How often the named service, e.g. `frontier-1`, was ended by SIGKILL and started again. */
  killings(instance: string): number {
    return this.stderr.split(`${instance} was ended by SIGKILL`).length - 1;
  }

  /** SIGKILL to the named service; false where it does not run at the moment. */
  killService(instance: string): boolean {
    const pid = childrenOf(this.#child.pid ?? 0).find((each) => instanceOf(each) === instance);
    if (pid === undefined) return false;
    process.kill(pid, "SIGKILL");
    return true;
  }

  /** Ends what is left; the services end by themselves when the command is gone. */
  async dispose(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.ended.catch(() => undefined);
  }
}

/** Arguments without blanks in them, as one writes them. */
export const commandLine = (text: string): readonly string[] => text.split(" ").filter((part) => part !== "");

/** Results as the file has them, each checked by its schema. */
export function readResults(folder: string, name = "results.jsonl"): readonly Result[] {
  return parseResults(readFileSync(join(folder, name), "utf8"));
}

export function parseResults(text: string): readonly Result[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw new Error("the last line of the results is cut off");
  return lines.map((line) => resultSchema.parse(JSON.parse(line)));
}

export function readSummary(folder: string): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as Record<string, unknown>;
}

/** What is missing to admitted = done + failed + skipped + waiting + in_flight; NaN where a figure is. */
export function unaccounted(summary: Readonly<Record<string, unknown>>): number {
  const settled = ["done", "failed", "skipped", "waiting", "in_flight"].map((field) =>
    Number(summary[field]),
  );
  return settled.reduce((left, each) => left - each, Number(summary["admitted"]));
}

/** The environment without what would steer Sluice. */
function neutralEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(SLUICE_|KAFKA_)/.test(name)));
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent);
}

/** Field 4 of /proc/PID/stat (proc(5)); null where the process is gone. */
function parentOf(pid: number): number | null {
  const stat = readProc(pid, "stat");
  if (stat === null) return null;
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function instanceOf(pid: number): string | null {
  const entry = readProc(pid, "environ")
    ?.split("\0")
    .find((each) => each.startsWith("SLUICE_INSTANCE="));
  return entry?.slice("SLUICE_INSTANCE=".length) ?? null;
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return null;
  }
}
