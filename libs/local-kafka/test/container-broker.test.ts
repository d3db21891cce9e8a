import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import {
  containerEnd,
  containerName,
  imageEnvironment,
  startContainer,
  stopContainer,
} from "../src/container-broker.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "sluice-container-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** An engine that does what `cases` say, in the shell, and notes each command. */
function engine(cases: string): NodeJS.ProcessEnv {
  const bin = path.join(directory, "bin");
  mkdirSync(bin);
  const file = path.join(bin, "docker");
  const calls = path.join(directory, "calls");
  writeFileSync(file, `#!/bin/sh\necho "$*" >> ${calls}\ncase "$*" in\n${cases}\nesac\n`);
  chmodSync(file, 0o755);
  return { PATH: bin };
}

function calls(command: string): readonly string[] {
  const file = path.join(directory, "calls");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.startsWith(`${command} `));
}

const setup = (env: NodeJS.ProcessEnv): Parameters<typeof startContainer>[0] => ({
  image: "some/kafka",
  dataDir: "/data",
  env,
  log: () => {},
});

it("tells what a container wrote that ends while Kafka starts, instead of waiting for it", async () => {
  const env = engine(`
    inspect*) echo "false 3";;
    logs*) echo "starting"; echo "java.lang.Error: no space" >&2;;`);
  expect(await startContainer(setup(env), null)).toEqual({
    kind: "failed",
    reason: "the container ended with exit code 3: java.lang.Error: no space",
  });
});

it("starts again at another port where the first was lost, and not for ever", async () => {
  const lost = "docker: Error response from daemon: Bind for 127.0.0.1 failed: port is already allocated.";
  const env = engine(`run*) echo "${lost}" >&2; exit 125;;`);
  const started = await startContainer(setup(env), null);
  expect(started).toEqual({ kind: "failed", reason: `docker run failed with exit code 125: ${lost}` });
  const ports = calls("run").map((line) => /--publish (\S+)/.exec(line)?.[1]);
  expect(ports).toHaveLength(3);
  expect(new Set(ports).size).toBeGreaterThan(1);
});

it("does not start again what fails for another reason", async () => {
  const env = engine(`run*) echo "no such runtime" >&2; exit 125;;`);
  expect(await startContainer(setup(env), null)).toMatchObject({ kind: "failed" });
  expect(calls("run")).toHaveLength(1);
});

it("publishes on loopback only and keeps the data in a volume of the folder's name", async () => {
  const env = engine(`run*) exit 125;;`);
  await startContainer(setup(env), null);
  const [run] = calls("run");
  expect(run).toMatch(/--publish 127\.0\.0\.1:(\d+):\1 /);
  expect(run).toContain(`--volume ${containerName("/data")}:/var/lib/kafka/data `);
  expect(run).toMatch(/ some\/kafka$/);
});

it("removes the unnamed volumes of the image with every container", async () => {
  const env = engine(`run*) exit 125;;`);
  await startContainer(setup(env), null);
  await stopContainer({ name: "some-name", port: 1 }, env);
  expect(calls("rm")).toHaveLength(3);
  for (const line of calls("rm")) expect(line).toMatch(/^rm --force --volumes /);
});

it("passes on that a container could not be removed", async () => {
  const env = engine(`rm*) echo "no engine" >&2; exit 1;;`);
  await expect(stopContainer({ name: "some-name", port: 1 }, env)).rejects.toThrow("no engine");
});

it("takes neither a container that runs nor a silent engine for an end", async () => {
  expect(await containerEnd("x", engine(`inspect*) echo "true 0";;`))()).toBeUndefined();
  expect(await containerEnd("x", { PATH: path.join(directory, "empty") })()).toBeUndefined();
});

it("takes a container that is no longer there, and one that was killed, for ended", async () => {
  const env = engine(`
    *gone) echo "Error: No such object: gone" >&2; exit 1;;
    inspect*) echo "false 137";;
    logs*) echo "INFO all is well";;`);
  expect(await containerEnd("gone", env)()).toBe(
    "docker inspect failed with exit code 1: Error: No such object: gone",
  );
  expect(await containerEnd("killed", env)()).toBe("the container ended with exit code 137");
});

it("gives a container no more memory than a local JVM", () => {
  expect(imageEnvironment(4711)["KAFKA_HEAP_OPTS"]).toBe("-Xmx512m");
});
