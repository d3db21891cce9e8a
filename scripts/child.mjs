/** Runs a command in the foreground and hands on signals and exit code. */
import { spawn } from "node:child_process";
import { constants } from "node:os";

/** npm and a terminal may deliver one Ctrl-C several times; repeats within this time are the same one. */
const sameSignalMs = 500;

/**
 * Resolves to the exit code, 128 + number after a death by signal. `started` is given the process's id.
 * The child shares our process group, so a Ctrl-C on a terminal reaches it without us and is not handed on.
 */
export function runChild(command, args, options, started = () => {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", ...options });
    if (child.pid !== undefined) started(child.pid);
    const onTerminal = Boolean(process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
    const lastMs = new Map();
    const handOn = (signal) => {
      const nowMs = Date.now();
      if (nowMs - (lastMs.get(signal) ?? -Infinity) < sameSignalMs) return;
      lastMs.set(signal, nowMs);
      if (signal === "SIGINT" && onTerminal) return;
      child.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, handOn);
    const end = (code) => {
      for (const signal of signals) process.off(signal, handOn);
      resolve(code);
    };
    child.on("error", (error) => {
      process.stderr.write(`sluice: ${command} could not be started: ${error.message}\n`);
      end(127);
    });
    child.on("exit", (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
