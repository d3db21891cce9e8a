/** Runs a program to its end and returns what it said. */
import { execFile } from "node:child_process";

export type CommandResult =
  | { readonly kind: "ended"; readonly code: number; readonly stdout: string; readonly stderr: string }
  | { readonly kind: "not-found" }
  | { readonly kind: "timeout" };

export interface CommandOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
}

/** Never rejects. A program that outlives `timeoutMs` is killed. */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      file,
      [...args],
      { env: options.env, timeout: options.timeoutMs, killSignal: "SIGKILL", maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error === null) resolve({ kind: "ended", code: 0, stdout, stderr });
        else if (error.code === "ENOENT" || error.code === "EACCES") resolve({ kind: "not-found" });
        else if (error.killed === true) resolve({ kind: "timeout" });
        else
          resolve({ kind: "ended", code: typeof error.code === "number" ? error.code : 1, stdout, stderr });
      },
    ).stdin?.end();
  });
}

/** Why a command did not succeed, in one line; undefined where it did. */
export function failureOf(command: string, result: CommandResult): string | undefined {
  switch (result.kind) {
    case "not-found":
      return `${command} was not found`;
    case "timeout":
      return `${command} did not answer in time`;
    case "ended": {
      if (result.code === 0) return undefined;
      const said = `${result.stderr}\n${result.stdout}`.split("\n").find((line) => line.trim() !== "");
      return `${command} failed with exit code ${result.code}${said === undefined ? "" : `: ${said.trim().slice(0, 400)}`}`;
    }
    default:
      return unknownKind(result);
  }
}

function unknownKind(value: never): never {
  throw new Error(`unknown kind: ${JSON.stringify(value)}`);
}
