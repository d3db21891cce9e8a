import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { givenUpText } from "../src/given-up.ts";
import { JobLock } from "../src/job-lock.ts";
import { defaultLaunchPolicy, Launcher, type GivenUp } from "../src/launcher.ts";
import { identityOf, isAlive } from "../src/process-identity.ts";
import { lastCause, startServiceProcess } from "../src/service-process.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-cli-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (text: string): string => {
  const path = join(folder, "service.mjs");
  writeFileSync(path, text);
  return path;
};
const start = (text: string, env: Record<string, string> = {}) =>
  startServiceProcess({
    script: script(text),
    env: { ...process.env, ...env },
    logPath: join(folder, "logs", "a", "x-1.log"),
  });
const log = (): string => join(folder, "logs", "a", "x-1.log");
const line = (level: string, event: string, message: string): string =>
  JSON.stringify({ level, time: "now", event, message });

describe("a service process", () => {
  it("gets its environment, writes its log, and tells how it ended", async () => {
    const service = start("process.stderr.write(process.env.GREETING + '\\n'); process.exit(7);", {
      GREETING: "hello",
    });
    expect(await service.ended).toEqual({ code: 7, signal: null });
    expect(readFileSync(log(), "utf8")).toBe("hello\n");
  });

  it("adds to the log of the life before", async () => {
    for (const word of ["one", "two"])
      await start(`process.stderr.write("${word}\\n"); process.exit(1);`).ended;
    expect(readFileSync(log(), "utf8")).toBe("one\ntwo\n");
  });

  it("ends in order at SIGTERM", async () => {
    const service = start(
      "process.on('SIGTERM', () => { process.stderr.write('drained\\n'); process.exit(0); }); process.stderr.write('up\\n'); setInterval(() => {}, 1000);",
    );
    while (!existsSync(log()) || !readFileSync(log(), "utf8").includes("up"))
      await new Promise((resolve) => setImmediate(resolve));
    service.kill("SIGTERM");
    expect(await service.ended).toEqual({ code: 0, signal: null });
    expect(readFileSync(log(), "utf8")).toBe("up\ndrained\n");
  });

  it("tells that it was killed", async () => {
    const service = start("setInterval(() => {}, 1000);");
    service.kill("SIGKILL");
    expect(await service.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  it("hears when its launcher is gone, by the channel between them", async () => {
    const child = script(
      "process.on('disconnect', () => { process.stderr.write('alone\\n'); process.exit(0); }); process.stderr.write('up\\n'); setInterval(() => {}, 1000);",
    );
    const module = new URL("../src/service-process.ts", import.meta.url).href;
    const launcher = join(folder, "launcher.mjs");
    writeFileSync(
      launcher,
      `import { startServiceProcess } from ${JSON.stringify(module)};
       startServiceProcess({ script: ${JSON.stringify(child)}, env: process.env, logPath: ${JSON.stringify(log())} });`,
    );
    const parent = spawn(process.execPath, [launcher], { stdio: "ignore" });
    const said = (word: string): boolean => existsSync(log()) && readFileSync(log(), "utf8").includes(word);
    while (!said("up")) await new Promise((resolve) => setImmediate(resolve));
    parent.kill("SIGKILL");
    await once(parent, "exit");
    while (!said("alone")) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe("the launcher with real processes", () => {
  it("starts a service that dies again, and in the end names the cause from its log", async () => {
    const path = script(
      `process.stderr.write(JSON.stringify({ level: "error", event: "fatal", message: "life " + process.env.LIFE }) + "\\n"); process.exit(1);`,
    );
    const { promise, resolve } = Promise.withResolvers<GivenUp>();
    let lives = 0;
    const launcher = new Launcher({
      clock: systemClock(),
      policy: { ...defaultLaunchPolicy, backOffMs: 1, deathsMax: 3 },
      start: (spec, env) => {
        lives += 1;
        return startServiceProcess({
          script: path,
          env: { ...process.env, ...env, LIFE: String(lives) },
          logPath: spec.logPath,
        });
      },
      onGivenUp: resolve,
      onRestart: () => undefined,
      onChanged: () => undefined,
    });
    launcher.start([{ name: "x-1", service: "x", env: {}, firstLifeEnv: {}, logPath: log() }]);
    const text = givenUpText(await promise);
    expect(text).toContain("x-1 exited with code 1, 3 times in a minute");
    expect(text).toContain("cause: fatal: life 3");
    await launcher.stop(() => true, 1000);
  });
});

describe("the cause of a death", () => {
  it("is the last error in the log", () => {
    writeFileSync(
      join(folder, "x.log"),
      [
        line("error", "write_failed", "old"),
        line("error", "fatal", "no space left"),
        line("info", "stopped", ""),
        "",
      ].join("\n"),
    );
    expect(lastCause(join(folder, "x.log"))).toBe("fatal: no space left");
  });

  it("is the last line where no error was logged, and nothing where there is no log", () => {
    writeFileSync(join(folder, "x.log"), `${line("info", "starting", "")}\nSyntaxError: bad\n\n`);
    expect(lastCause(join(folder, "x.log"))).toBe("SyntaxError: bad");
    expect(lastCause(join(folder, "none.log"))).toBe(null);
  });

  it("is told with the service, how it ended, how often, and where its log is", () => {
    const logPath = join(folder, "x.log");
    writeFileSync(logPath, line("error", "fatal", "no space left"));
    const spec = { name: "result-sink-1", service: "result-sink", env: {}, firstLifeEnv: {}, logPath };
    const text = givenUpText({ spec, death: { code: 1, signal: null }, deaths: 5 });
    for (const part of [
      "result-sink-1 exited with code 1, 5 times in a minute",
      "cause: fatal: no space left",
      logPath,
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe("the lock of a job", () => {
  const job = { id: "a", prefix: "a." };
  const lockOf = (holder: unknown): void => writeFileSync(join(folder, "a.lock"), JSON.stringify(holder));
  const living = () => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });

  it("refuses a second command for the same job, and lets it go on once released", async () => {
    const lock = await JobLock.take(folder, job);
    lock.note([process.pid]);
    await expect(JobLock.take(folder, job)).rejects.toThrow(
      new RegExp(`--job: process ${process.pid} is crawling a now`),
    );
    const other = await JobLock.take(folder, { id: "b", prefix: "b." });
    other.release();
    lock.release();
    (await JobLock.take(folder, job)).release();
  });

  it("of a killed command is taken over, and the services it left are ended first", async () => {
    const service = living();
    await once(service, "spawn");
    const ended = once(service, "exit");
    const dead = { pid: process.pid, started: "another boot:1" };
    lockOf({ command: dead, services: [identityOf(service.pid ?? 0)] });
    const lock = await JobLock.take(folder, job);
    expect(await ended).toEqual([null, "SIGKILL"]);
    lock.release();
  });

  it("never ends a process that only has the pid of a service that was left", async () => {
    const stranger = living();
    await once(stranger, "spawn");
    try {
      lockOf({
        command: { pid: process.pid, started: "another boot:1" },
        services: [{ pid: stranger.pid, started: "another boot:2" }],
      });
      (await JobLock.take(folder, job)).release();
      expect(isAlive(identityOf(stranger.pid ?? 0))).toBe(true);
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});
