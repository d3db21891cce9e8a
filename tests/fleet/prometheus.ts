import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const startLimitMs = 30_000;
const stopLimitMs = 10_000;

/** One value of one series, now. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface RuleState {
  readonly name: string;
  /** `unknown` before it was worked out for the first time. */
  readonly health: string;
  readonly lastError?: string;
}

interface Answer<Data> {
  readonly status: string;
  readonly error?: string;
  readonly data: Data;
}

export const hasPrometheus = spawnSync("prometheus", ["--version"]).error === undefined;

/** A real Prometheus of this test alone, on loopback, with its data in a folder of its own. */
export class Prometheus {
  readonly #address: string;
  readonly #folder: string;
  readonly #child: ChildProcess;
  #log = "";

  private constructor(address: string, folder: string, child: ChildProcess) {
    this.#address = address;
    this.#folder = folder;
    this.#child = child;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-10_000);
    });
  }

  /** @param files by name, `prometheus.yml` among them */
  static async start(port: number, files: Readonly<Record<string, string>>): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "sluice-prometheus-"));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const address = `127.0.0.1:${port}`;
    const child = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=${address}`,
        "--log.level=warn",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const prometheus = new Prometheus(address, folder, child);
    const untilMs = performance.now() + startLimitMs;
    while (!(await prometheus.#isReady())) {
      if (child.exitCode !== null || performance.now() > untilMs) {
        await prometheus.stop();
        throw new Error(`Prometheus did not start: ${prometheus.#log}`);
      }
      await sleep(100);
    }
    return prometheus;
  }

  /** The series of an expression at this moment. Throws what Prometheus says of one that it can't work out. */
  async query(expression: string): Promise<readonly Sample[]> {
    const { result } = await this.#get<{
      readonly result: readonly {
        readonly metric: Readonly<Record<string, string>>;
        readonly value: readonly [number, string];
      }[];
    }>(`query?query=${encodeURIComponent(expression)}`);
    return result.map(({ metric, value }) => ({ labels: metric, value: numberOf(value[1]) }));
  }

  async rules(): Promise<readonly RuleState[]> {
    const { groups } = await this.#get<{
      readonly groups: readonly { readonly rules: readonly RuleState[] }[];
    }>("rules");
    return groups.flatMap(({ rules }) => rules);
  }

  /** Alerts whose condition holds: `pending` or `firing`, with the name and the other labels. */
  async alerts(): Promise<readonly string[]> {
    const { alerts } = await this.#get<{
      readonly alerts: readonly {
        readonly state: string;
        readonly labels: Readonly<Record<string, string>>;
      }[];
    }>("alerts");
    return alerts.map(({ state, labels }) => `${state} ${JSON.stringify(labels)}`);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopLimitMs);
      await gone;
      clearTimeout(timer);
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(`http://${this.#address}/-/ready`).catch(() => null);
    await answer?.text();
    return answer?.ok === true;
  }

  async #get<Data>(path: string): Promise<Data> {
    const answer = await fetch(`http://${this.#address}/api/v1/${path}`);
    const { status, error, data } = (await answer.json()) as Answer<Data>;
    if (status !== "success") throw new Error(`${path}: ${error ?? status}`);
    return data;
  }
}

/** Prometheus writes NaN, +Inf and -Inf so. */
function numberOf(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}
