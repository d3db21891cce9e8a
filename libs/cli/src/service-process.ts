/** A service as a child process of this command. */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readSync, fstatSync } from "node:fs";
import { dirname } from "node:path";
import { nodeEnvironment, nodeFlags } from "@sluice/process";
import type { Death, ServiceProcess } from "./launcher.ts";

export interface ServiceCommand {
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logPath: string;
}

/**
 * Its stderr goes straight into the log file, so that it can write on when we are gone or busy. It has a
 * process group of its own: a Ctrl-C is for us, and we end it in order. It ends by itself when the channel to us breaks.
 */
export function startServiceProcess({ script, env, logPath }: ServiceCommand): ServiceProcess {
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, "a");
  try {
    const child = spawn(process.execPath, [...nodeFlags, script], {
      env: { ...nodeEnvironment, ...env },
      detached: true,
      stdio: ["ignore", "ignore", log, "ipc"],
    });
    const ended = new Promise<Death>((resolve) => {
      child.once("error", () => {
        if (child.pid === undefined) resolve({ code: null, signal: null });
      });
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    return { pid: child.pid, ended, kill: (signal) => void child.kill(signal) };
  } finally {
    closeSync(log);
  }
}

const tailBytes = 64 * 1024;

/** The last error that a service logged, else its last line; null where the log has nothing. */
export function lastCause(logPath: string): string | null {
  const lines = readTail(logPath)
    .split("\n")
    .filter((line) => line.trim() !== "");
  for (const line of lines.toReversed()) {
    const entry = parseLine(line);
    if (entry?.level === "error" || entry?.level === "fatal")
      return [entry.event, entry.message].filter((text) => text !== "").join(": ");
  }
  return lines.at(-1)?.trim() ?? null;
}

function readTail(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return "";
  }
  try {
    const { size } = fstatSync(file);
    const bytes = Buffer.alloc(Math.min(size, tailBytes));
    const count = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, count);
  } finally {
    closeSync(file);
  }
}

function parseLine(
  line: string,
): { readonly level: string; readonly event: string; readonly message: string } | null {
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== "object" || entry === null) return null;
    const text = (name: string): string => {
      const value: unknown = Reflect.get(entry, name);
      return typeof value === "string" ? value : "";
    };
    return { level: text("level"), event: text("event"), message: text("message") };
  } catch {
    return null;
  }
}
