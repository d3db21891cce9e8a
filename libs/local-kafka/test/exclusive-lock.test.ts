import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withLock } from "../src/exclusive-lock.ts";
import { identify } from "../src/process-identity.ts";

let directory = "";
let file = "";

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "sluice-lock-"));
  file = path.join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it("lets one in after the other and leaves nothing behind", async () => {
  let inside = 0;
  let most = 0;
  const visits = Array.from({ length: 8 }, () =>
    withLock(file, { timeoutMs: 30_000 }, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    }),
  );
  await Promise.all(visits);
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual([]);
});

it("is free again after work that failed", async () => {
  const failing = withLock(file, { timeoutMs: 1_000 }, () => Promise.reject(new Error("broken work")));
  await expect(failing).rejects.toThrow("broken work");
  expect(await withLock(file, { timeoutMs: 1_000 }, () => Promise.resolve("in"))).toBe("in");
});

it("is taken over from a process that has died, by one of many that try at once", async () => {
  const started = identify(process.pid).started;
  writeFileSync(file, JSON.stringify({ token: "dead", process: { pid: 2 ** 22 + 1, started } }));
  let inside = 0;
  let most = 0;
  const visits = Array.from({ length: 8 }, () =>
    withLock(file, { timeoutMs: 30_000 }, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    }),
  );
  await Promise.all(visits);
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual([]);
});

it("is taken over where another process got the pid of the dead holder", async () => {
  writeFileSync(
    file,
    JSON.stringify({ token: "old", process: { pid: process.pid, started: "another boot:1" } }),
  );
  expect(await withLock(file, { timeoutMs: 1_000 }, () => Promise.resolve("in"))).toBe("in");
});

it("is not taken from a process that lives, whose pid is told once", async () => {
  const holder = JSON.stringify({ token: "alive", process: identify(process.pid) });
  writeFileSync(file, holder);
  const told: number[] = [];
  const options = { timeoutMs: 120, onWait: (pid: number) => void told.push(pid) };
  await expect(withLock(file, options, () => Promise.resolve())).rejects.toThrow(`process ${process.pid}`);
  expect(told).toEqual([process.pid]);
  expect(readFileSync(file, "utf8")).toBe(holder);
});

it("keeps separate processes apart, and survives kill -9 of the holder", async () => {
  const source = path.resolve(import.meta.dirname, "../src/exclusive-lock.ts");
  const program = `
    import { withLock } from ${JSON.stringify(source)};
    await withLock(${JSON.stringify(file)}, { timeoutMs: 30000 }, async () => {
      process.stdout.write("held");
      await new Promise((resolve) => setInterval(resolve, 1e9));
    });`;
  const node = path.resolve(import.meta.dirname, "../../../node_modules/.bin/node");
  const child = spawn(node, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await expect(withLock(file, { timeoutMs: 100 }, () => Promise.resolve())).rejects.toThrow(
    `process ${child.pid}`,
  );
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  expect(await withLock(file, { timeoutMs: 10_000 }, () => Promise.resolve("in"))).toBe("in");
});
