import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emptyRegistry, livingUsers, newUser, readRegistry, writeRegistry } from "../src/broker-registry.ts";
import { awaitEnd, identify, isRunning } from "../src/process-identity.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "sluice-registry-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the registry of users", () => {
  it("is empty at first, and says afterwards what was written", () => {
    expect(readRegistry(directory)).toEqual(emptyRegistry);
    const registry = {
      broker: { kind: "local-jvm", process: identify(process.pid), port: 4711 },
      port: 4711,
      kind: "local-jvm",
      users: [newUser(identify(process.pid))],
    } as const;
    writeRegistry(directory, registry);
    expect(readRegistry(directory)).toEqual(registry);
  });

  it.each([
    "",
    "{",
    "[]",
    '{"broker":null}',
    '{"broker":{"kind":"x","port":1},"port":1,"kind":null,"users":[]}',
  ])("counts as empty where the file is damaged: %j", (text) => {
    writeFileSync(path.join(directory, "registry.json"), text);
    expect(readRegistry(directory)).toEqual(emptyRegistry);
  });

  it("drops users whose process is gone or whose pid belongs to another process now", () => {
    const living = newUser(identify(process.pid));
    const gone = newUser({ pid: 2 ** 22 + 1, started: null });
    const reused = newUser({ pid: process.pid, started: "another boot:1" });
    expect(livingUsers([gone, living, reused])).toEqual([living]);
  });

  it("counts two users of one process as two", () => {
    const users = [newUser(identify(process.pid)), newUser(identify(process.pid))];
    expect(new Set(livingUsers(users).map((user) => user.token)).size).toBe(2);
  });
});

describe("the identity of a process", () => {
  it("ends with the process", async () => {
    const child = spawn("sleep", ["60"], { stdio: "ignore" });
    await new Promise((resolve) => child.once("spawn", resolve));
    const identity = identify(child.pid ?? 0);
    expect(isRunning(identity)).toBe(true);
    expect(await awaitEnd(identity, 0)).toBe(false);
    child.kill("SIGKILL");
    expect(await awaitEnd(identity, 10_000)).toBe(true);
    expect(isRunning(identity)).toBe(false);
  });
});
