/** How the process ends: in order when it is told to, at once when it is told twice or a bug shows. */
import { messageOf, SluiceError } from "@sluice/errors";
import type { Log } from "@sluice/telemetry";

const exitCodes = { ok: 0, fatal: 1, config: 2 } as const;

/** Settings that can't be had end the process before it has a log. */
export function orRefuse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return process.exit(codeOf(error));
  }
}

/** From now on whatever nobody catches is logged and ends the process. */
export function endOnBugs(log: Log): (error: unknown) => never {
  const fatal = (error: unknown): never => {
    log.error(
      { message: messageOf(error), stack: error instanceof Error ? error.stack : undefined },
      "fatal",
    );
    return process.exit(codeOf(error));
  };
  process.on("uncaughtException", fatal);
  process.on("unhandledRejection", fatal);
  return fatal;
}

/** Signals, and the end of the launcher, however it went: then nobody is left to stop us. */
export function endOnSignals(log: Log, close: () => Promise<void>, fatal: (error: unknown) => never): void {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT", "disconnect"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(exitCodes.fatal);
      stopping = true;
      log.info({ signal }, "stopping");
      close().then(() => process.exit(exitCodes.ok), fatal);
    });
  }
}

function codeOf(error: unknown): number {
  const isConfig = error instanceof SluiceError && error.code === "SLUICE_CONFIG_INVALID";
  return isConfig ? exitCodes.config : exitCodes.fatal;
}
