/** The Docker engine that the docker command speaks to, by DOCKER_HOST where that is set. */
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { root } from "./compose.ts";

const run = promisify(execFile);
const outputBytesMax = 64 * 1024 * 1024;
const infoMs = 10_000;
const commandMs = 600_000;

/** Why no container can be started here, in one line; undefined where an engine answers. */
export function engineFailure(): string | undefined {
  const { error, stdout, stderr } = spawnSync("docker", ["info", "--format", "{{.ServerVersion}}"], {
    encoding: "utf8",
    timeout: infoMs,
  });
  if (error !== undefined) return `docker can't be run: ${error.message}`;
  // Some versions of docker end with 0 although no engine answered.
  if (/^\d/.test(stdout.trim())) return undefined;
  return `no engine answers: ${stderr.trim().split("\n")[0] ?? ""}`;
}

/** Runs a docker command in the repository's folder and gives what it wrote. Rejects where it fails. */
export async function docker(...args: readonly string[]): Promise<string> {
  return (await run("docker", args, { cwd: root, maxBuffer: outputBytesMax, timeout: commandMs })).stdout;
}

/** The last lines that a container wrote to either of its streams. */
export async function lastWords(container: string): Promise<string> {
  const { stdout, stderr } = await run("docker", ["logs", "--tail", "20", container]);
  return (stdout + stderr).slice(-2000);
}
