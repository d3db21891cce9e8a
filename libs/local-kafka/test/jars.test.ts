import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureJars, jarProblems, parseSums } from "../src/jars.ts";
import { pinnedKafka } from "../src/pinned-kafka.ts";

const sumOf = (text: string): string => createHash("sha256").update(text).digest("hex");
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "sluice-jars-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("the list of checksums", () => {
  it("is read as sha256sum writes it", () => {
    expect([...parseSums(`${sumOf("a")}  a.jar\n${sumOf("b")} *b.jar\n`)]).toEqual([
      ["a.jar", sumOf("a")],
      ["b.jar", sumOf("b")],
    ]);
  });

  it("is refused where a line is anything else", () => {
    expect(() => parseSums("abc  a.jar")).toThrow("not a checksum line: abc  a.jar");
  });

  it("that is committed has the broker of the pinned version", () => {
    const pinned = pinnedKafka();
    const names = [...parseSums(readFileSync(pinned.sumsFile, "utf8")).keys()];
    expect(names).toContain(`kafka_2.13-${pinned.version}.jar`);
    expect(names).toContain(`kafka-clients-${pinned.version}.jar`);
    expect(pinned.image).toBe(`apache/kafka:${pinned.version}`);
  });
});

describe("the check of the jars", () => {
  const sums = new Map([
    ["a.jar", sumOf("a")],
    ["b.jar", sumOf("b")],
  ]);

  it("finds nothing where all is as listed", async () => {
    writeFileSync(path.join(directory, "a.jar"), "a");
    writeFileSync(path.join(directory, "b.jar"), "b");
    expect(await jarProblems(directory, sums)).toEqual([]);
  });

  it("names a jar that differs, one that is missing and one too many", async () => {
    writeFileSync(path.join(directory, "a.jar"), "tampered");
    writeFileSync(path.join(directory, "c.jar"), "c");
    expect(await jarProblems(directory, sums)).toEqual([
      `a.jar has SHA-256 ${sumOf("tampered")}, expected ${sumOf("a")}`,
      "b.jar is missing",
      "c.jar is not in the list",
    ]);
  });
});

describe("getting the jars, with a program that stands in for Maven", () => {
  const sums = `${sumOf("a")}  a.jar\n`;
  const log: string[] = [];
  let pinned = pinnedKafka();
  let env: NodeJS.ProcessEnv = {};

  /** Puts an executable `mvn` first in PATH that writes `content` as a.jar into the asked folder. */
  function standIn(content: string, exitCode = 0): void {
    const bin = path.join(directory, "bin");
    mkdirSync(bin, { recursive: true });
    const script = `#!/bin/sh
for argument; do case "$argument" in -DoutputDirectory=*) out="\${argument#*=}";; esac; done
mkdir -p "$out"; printf '%s' '${content}' > "$out/a.jar"
[ ${exitCode} = 0 ] || echo "no such artifact" >&2
exit ${exitCode}
`;
    writeFileSync(path.join(bin, "mvn"), script);
    chmodSync(path.join(bin, "mvn"), 0o755);
    env = { PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  }

  beforeEach(() => {
    log.length = 0;
    const sumsFile = path.join(directory, "jars.sha256");
    writeFileSync(sumsFile, sums);
    pinned = { version: "9.9.9", image: "", pomFile: path.join(directory, "pom.xml"), sumsFile };
  });
  const get = () => ensureJars(pinned, path.join(directory, "data"), env, (line) => void log.push(line));
  const lib = () => path.join(directory, "data", "kafka-9.9.9", "lib");

  it("downloads once", async () => {
    standIn("a");
    expect(await get()).toMatchObject({ kind: "ready", directory: lib() });
    expect(log).toHaveLength(1);
    standIn("a", 1);
    expect(await get()).toEqual({ kind: "ready", directory: lib(), downloadedMs: 0 });
    expect(log).toHaveLength(1);
  });

  it("keeps nothing of a download with a wrong checksum, and names the jar", async () => {
    standIn("evil");
    expect(await get()).toEqual({
      kind: "failed",
      reason: `the downloaded jars are not the expected ones: a.jar has SHA-256 ${sumOf("evil")}, expected ${sumOf("a")}`,
    });
    expect(readdirSync(path.join(directory, "data"))).toEqual([]);
  });

  it("says what Maven said where it fails", async () => {
    standIn("a", 1);
    expect(await get()).toEqual({ kind: "failed", reason: "mvn failed with exit code 1: no such artifact" });
    expect(existsSync(lib())).toBe(false);
  });

  it("says that Maven is not there", async () => {
    env = { PATH: directory };
    expect(await get()).toEqual({ kind: "failed", reason: "mvn was not found" });
  });

  it("replaces jars that were damaged on disk", async () => {
    standIn("a");
    await get();
    writeFileSync(path.join(lib(), "a.jar"), "damaged");
    expect(await get()).toMatchObject({ kind: "ready" });
    expect(readFileSync(path.join(lib(), "a.jar"), "utf8")).toBe("a");
    expect(log[1]).toContain("a.jar has SHA-256");
  });
});
