import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort, pinnedKafka } from "@sluice/local-kafka";
import { Terminal } from "../fleet/terminal.ts";
import { stepsOf, withOutputs, withoutVolatile } from "../fleet/transcript.ts";

const root = resolve(import.meta.dirname, "../..");
const file = join(root, "docs/tour.md");
/** Writes what comes out into the page instead of comparing; look at the difference before you keep it. */
const rewriting = process.env["SLUICE_REWRITE"] === "1";
/** What the page names. */
const ports = [7400, 7401, 7402, 7403, 7404, 7405, 8000, 9090, 9092];
const tools: readonly (readonly [string, ...string[]])[] = [
  ["java", "-version"],
  ["curl", "--version"],
  ["jq", "--version"],
  ["kcat", "-V"],
  ["chromium", "--version"],
  ["prometheus", "--version"],
  ["promtool", "--version"],
  ["python3", "-c", "import venv, ensurepip"],
];

const reasons = [
  ...tools.flatMap(([tool, ...args]) => (spawnSync(tool, args).status === 0 ? [] : [`${tool} not found`])),
  ...(
    await Promise.all(
      ports.map(async (port) => ((await freePort(port)) === port ? [] : [`port ${port} is taken`])),
    )
  ).flat(),
];
if (reasons.length > 0) process.stderr.write(`tour.test.ts is skipped: ${reasons.join(", ")}\n`);

const stepMs = 180_000;

/** A folder that looks like a clone: what the tour writes stays in it. */
function clone(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-tour-"));
  for (const name of readdirSync(root))
    if (!/^(\.git|\.sluice|\.venv|site|crawl-results)$/.test(name))
      symlinkSync(join(root, name), join(dir, name));
  mkdirSync(join(dir, ".sluice"));
  const jars = `kafka-${pinnedKafka().version}`;
  const kept = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sluice", jars);
  if (existsSync(kept)) symlinkSync(kept, join(dir, ".sluice", jars));
  return dir;
}

/** As a shell of a user has it: nothing that would steer Sluice, and no container where none was asked for. */
function userEnv(dir: string): Record<string, string> {
  const steering = Object.keys(process.env).filter((name) =>
    /^(SLUICE_|KAFKA_|npm_|VITEST|NODE_)/.test(name),
  );
  return {
    ...Object.fromEntries(steering.map((name) => [name, ""])),
    SLUICE_DATA_DIR: join(dir, ".sluice"),
    DOCKER_HOST: `unix://${dir}/no-docker`,
  };
}

describe.skipIf(reasons.length > 0)("docs/tour.md", { timeout: 600_000 }, () => {
  it("says what comes out", async () => {
    const page = readFileSync(file, "utf8");
    const steps = stepsOf(page);
    const dir = clone();
    const terminals = new Map<string, Terminal>();
    const outputs: string[] = [];
    try {
      for (const { terminal: name, command, output } of steps) {
        const terminal = terminals.get(name) ?? new Terminal(dir, userEnv(dir));
        terminals.set(name, terminal);
        const said =
          command === "^C"
            ? await terminal.interrupt(stepMs)
            : name === "system"
              ? await terminal.begin(command, "Ctrl-C stops it all", stepMs)
              : await terminal.run(command, stepMs);
        outputs.push(said.replaceAll(`${dir}/`, "/home/you/sluice/"));
        if (!rewriting) expect(withoutVolatile(outputs.at(-1) ?? ""), command).toBe(withoutVolatile(output));
      }
    } finally {
      for (const terminal of terminals.values()) terminal.close();
      if (rewriting) writeFileSync(file, withOutputs(page, outputs));
      rmSync(dir, { recursive: true, force: true });
    }
    expect(steps.length).toBeGreaterThan(15);
  });
});
