/** One way in which a host can be hostile, and what has to come of it. */
import type { Socket } from "node:net";
import type { FetchCategory, JobInput } from "@sluice/records";

export interface Threat {
  /** First label of its host's name. */
  readonly name: string;
  /** Row of the table in docs/security.md. */
  readonly row: ThreatRow;
  readonly scheme?: "http" | "https";
  readonly path?: string;
  /** What the job says, where it is not the default of these tests. */
  readonly fetch?: NonNullable<JobInput["fetch"]>;
  /** Called with the socket once a request's head has come. */
  readonly respond: (socket: Socket) => void;
  readonly expected: Expected;
}

export interface Expected {
  readonly category: FetchCategory;
  readonly code?: string;
  readonly truncated?: boolean;
  readonly title?: string | null;
  /** Links read off the page. */
  readonly links?: number;
}

export const threatRows = [
  "decompression bomb",
  "huge or endless body",
  "slow body or header",
  "lying length",
  "header flood",
  "malformed HTTP",
  "redirect",
  "charset lie",
  "XML bomb",
  "HTML torture",
  "naughty strings",
  "TLS",
] as const;
export type ThreatRow = (typeof threatRows)[number];

/** A response as it is written on the wire; the length is that of the body. */
export function page(body: Uint8Array | string, fields: readonly string[] = [], status = "200 OK"): Buffer {
  const bytes = Buffer.from(body);
  const type = fields.some((field) => /^content-type:/i.test(field)) ? [] : ["Content-Type: text/html"];
  return Buffer.concat([head(status, [...type, ...fields, `Content-Length: ${bytes.length}`]), bytes]);
}

export const head = (status: string, fields: readonly string[]): Buffer =>
  Buffer.from([`HTTP/1.1 ${status}`, ...fields, "", ""].join("\r\n"), "latin1");

export const says =
  (bytes: Uint8Array | string) =>
  (socket: Socket): void =>
    void socket.write(bytes);

export const saysAndEnds =
  (bytes: Uint8Array | string) =>
  (socket: Socket): void =>
    void socket.end(bytes);

/** Writes pieces for ever, as fast as they are taken. */
export const floods =
  (first: Uint8Array | string, piece: Uint8Array | string) =>
  (socket: Socket): void => {
    const pump = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.write(first);
    socket.on("drain", pump);
    pump();
  };

/** Writes one piece each `everyMs`, for ever. */
export const drips =
  (first: Uint8Array | string, piece: Uint8Array | string, everyMs: number) =>
  (socket: Socket): void => {
    socket.write(first);
    const timer = setInterval(() => socket.write(piece), everyMs);
    socket.on("close", () => clearInterval(timer));
  };

/** Hosts too slow to wait for: the deadlines of their jobs are short, so that the tests are. */
export const impatient = { totalTimeoutMs: 6000 };
