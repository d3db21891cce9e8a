/** Gets the jars of Apache Kafka from Maven Central and makes sure that they are the ones we know. */
import { createHash } from "node:crypto";
import { createReadStream, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { failureOf, runCommand } from "./command.ts";
import type { PinnedKafka } from "./pinned-kafka.ts";

/** Most time a download may take: a slow line of 1 Mbit/s needs six minutes. */
const downloadMs = 900_000;

export type JarsResult =
  | { readonly kind: "ready"; readonly directory: string; readonly downloadedMs: number }
  | { readonly kind: "failed"; readonly reason: string };

/** Reads lines of `<64 hex digits>  <file name>`, as sha256sum writes them. Throws on any other line. */
export function parseSums(text: string): ReadonlyMap<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const match = /^([0-9a-f]{64}) [ *](\S+)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) throw new Error(`not a checksum line: ${line}`);
    sums.set(match[2], match[1]);
  }
  return sums;
}

/** What differs between the jars of a folder and the list: each jar by name. Empty where all is as listed. */
export async function jarProblems(
  directory: string,
  sums: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const present = new Set(readdirSync(directory));
  const problems: string[] = [];
  for (const [name, expected] of sums) {
    if (!present.delete(name)) {
      problems.push(`${name} is missing`);
      continue;
    }
    const hash = createHash("sha256");
    await pipeline(createReadStream(path.join(directory, name)), hash);
    const actual = hash.digest("hex");
    if (actual !== expected) problems.push(`${name} has SHA-256 ${actual}, expected ${expected}`);
  }
  for (const name of present) problems.push(`${name} is not in the list`);
  return problems;
}

/** The folder of checked jars below `dataDir`; downloads them where they are absent or damaged. */
export async function ensureJars(
  pinned: PinnedKafka,
  dataDir: string,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<JarsResult> {
  const sums = parseSums(readFileSync(pinned.sumsFile, "utf8"));
  const home = path.join(dataDir, `kafka-${pinned.version}`);
  const directory = path.join(home, "lib");
  const found = await problemsIfPresent(directory, sums);
  if (found?.length === 0) return { kind: "ready", directory, downloadedMs: 0 };
  if (found !== undefined) log(`The jars in ${directory} are damaged (${found[0]}); downloading them again.`);

  const startedMs = performance.now();
  log(`Downloading Apache Kafka ${pinned.version} from Maven Central (43 MB, once) ...`);
  const draft = path.join(dataDir, `kafka-${pinned.version}.part-${process.pid}`);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  try {
    const args = ["-B", "-q", "-f", pinned.pomFile, "dependency:copy-dependencies"];
    args.push("-DincludeScope=runtime", `-DoutputDirectory=${path.join(draft, "lib")}`);
    const failure = failureOf("mvn", await runCommand("mvn", args, { env, timeoutMs: downloadMs }));
    if (failure !== undefined) return { kind: "failed", reason: failure };
    const problems = await jarProblems(path.join(draft, "lib"), sums);
    if (problems.length > 0) {
      return {
        kind: "failed",
        reason: `the downloaded jars are not the expected ones: ${problems.join("; ")}`,
      };
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(draft, home);
    return { kind: "ready", directory, downloadedMs: performance.now() - startedMs };
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function problemsIfPresent(
  directory: string,
  sums: ReadonlyMap<string, string>,
): Promise<readonly string[] | undefined> {
  try {
    return await jarProblems(directory, sums);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
