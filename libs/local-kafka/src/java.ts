/** Finds a Java that can run Apache Kafka. */
import path from "node:path";
import { failureOf, runCommand } from "./command.ts";

/** Apache Kafka 4 brokers need it. */
export const javaVersionMin = 17;

export type JavaResult =
  | { readonly kind: "found"; readonly file: string; readonly version: string }
  | { readonly kind: "absent"; readonly reason: string };

/** The feature release in the output of `java -version`: 8 for "1.8.0_392", 17 for "17.0.15". */
export function javaRelease(output: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(output);
  if (match?.[1] === undefined) return undefined;
  return match[1] === "1" && match[2] !== undefined ? Number(match[2]) : Number(match[1]);
}

/** JAVA_HOME's java, or the one in PATH, where it is new enough. */
export async function findJava(env: NodeJS.ProcessEnv): Promise<JavaResult> {
  const home = env["JAVA_HOME"];
  const file = home === undefined || home === "" ? "java" : path.join(home, "bin", "java");
  const result = await runCommand(file, ["-version"], { env, timeoutMs: 20_000 });
  const failure = failureOf(file, result);
  if (failure !== undefined || result.kind !== "ended")
    return { kind: "absent", reason: failure ?? `${file} failed` };
  const output = `${result.stderr}${result.stdout}`;
  const release = javaRelease(output);
  if (release === undefined || release < javaVersionMin) {
    return {
      kind: "absent",
      reason: `${file} is Java ${release ?? "of unknown version"}, ${javaVersionMin} or newer is needed`,
    };
  }
  return { kind: "found", file, version: output.split("\n")[0] ?? "" };
}
