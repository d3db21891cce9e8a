import { pino, type Logger } from "pino";

export type Log = Logger;

/** JSON lines on stderr: what happened first, fields after it. */
export function createLog(service: string, instance: string, level: string): Log {
  return pino(
    {
      level,
      base: { service, instance },
      messageKey: "event",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
