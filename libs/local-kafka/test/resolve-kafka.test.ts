import { mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { SluiceError } from "@sluice/errors";
import { afterEach, beforeEach, expect, it } from "vitest";
import { dockerFailure } from "../src/container-broker.ts";
import { findJava } from "../src/java.ts";
import { resolveKafka } from "../src/resolve-kafka.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "sluice-resolve-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A PATH with nothing in it but the given programs. */
function pathWith(programs: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const bin = path.join(directory, "bin");
  mkdirSync(bin);
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(path.join(bin, name), 0o755);
  }
  return { PATH: bin };
}

it("fails with every reason where there is neither Docker nor Java, and leaves no lock behind", async () => {
  const dataDir = path.join(directory, "data");
  const failed = await resolveKafka({ dataDir, env: pathWith({}), log: () => {} }).catch(
    (error: unknown) => error,
  );
  expect(failed).toBeInstanceOf(SluiceError);
  expect(failed).toMatchObject({ code: "SLUICE_KAFKA_UNAVAILABLE" });
  expect(String(failed)).toContain("Docker: docker was not found");
  expect(String(failed)).toContain("Local JVM: java was not found");
  expect(readdirSync(dataDir)).toEqual(["registry.json"]);
});

it("does not believe a docker that answers without an engine", async () => {
  expect(await dockerFailure(pathWith({ docker: "echo" }))).toBe("docker info shows no engine");
});

it("passes on why the engine does not answer", async () => {
  const env = pathWith({ docker: "echo 'Cannot connect to the Docker daemon' >&2; exit 1" });
  expect(await dockerFailure(env)).toBe(
    "docker info failed with exit code 1: Cannot connect to the Docker daemon",
  );
});

it("accepts an engine that tells its version", async () => {
  expect(await dockerFailure(pathWith({ docker: "echo 28.2.2" }))).toBeUndefined();
});

it("refuses a Java that is too old, and prefers JAVA_HOME", async () => {
  const env = pathWith({ java: "echo 'openjdk version \"11.0.2\"' >&2" });
  expect(await findJava(env)).toEqual({ kind: "absent", reason: "java is Java 11, 17 or newer is needed" });
  const home = await findJava({ ...env, JAVA_HOME: path.join(directory, "jdk") });
  expect(home).toEqual({
    kind: "absent",
    reason: `${path.join(directory, "jdk", "bin", "java")} was not found`,
  });
});
