/** The options of `sluice up`, checked: all problems at once, each with the name of its field. */
import { join, resolve } from "node:path";
import { SluiceError } from "@sluice/errors";
import { Problems } from "./option-checks.ts";

/** As the command line has them: text, or absent. */
export interface RawUpOptions {
  readonly brokers?: string;
  readonly prefix?: string;
  readonly partitions?: string;
  readonly apiPort?: string;
  readonly metricsPort?: string;
  readonly out?: string;
  readonly contact?: string;
  readonly allowPrivate?: readonly string[];
  readonly resolve?: readonly string[];
}

export interface UpOptions {
  /** Null: as the environment has it. */
  readonly brokers: readonly string[] | null;
  readonly prefix: string;
  readonly partitions: number | null;
  readonly apiPort: number;
  /** Of the first service; the others have the ports that follow. */
  readonly metricsPort: number;
  /** Absolute path of the folder of results. */
  readonly out: string;
  readonly contact: string | null;
  readonly allowPrivate: readonly string[];
  readonly resolve: readonly string[];
}

export const apiPortDefault = 7400;
export const metricsPortDefault = 7401;
/** So that the ports of all services are ports. */
const portMax = 65_500;

/**
 * @param folder what a relative `--out` is relative to
 * @throws SluiceError SLUICE_USAGE with one line for each problem
 */
export function parseUpOptions(raw: RawUpOptions, env: NodeJS.ProcessEnv, folder: string): UpOptions {
  const problems = new Problems();
  const brokers = problems.brokers("--brokers", raw.brokers);
  const prefix = problems.matching(
    "--prefix",
    raw.prefix,
    /^([a-z0-9][a-z0-9.-]{0,80}[.-])?$/,
    "is no prefix: lower-case letters, digits, '.' and '-', ending in '.' or '-', at most 82",
  );
  const partitions = problems.wholeNumber("--partitions", raw.partitions, 1, 1000);
  const apiPort = problems.wholeNumber("--api-port", raw.apiPort, 1, portMax);
  const metricsPort = problems.wholeNumber("--metrics-port", raw.metricsPort, 1, portMax);
  const contact = problems.matching(
    "--contact",
    raw.contact,
    /^[\x21-\x7e][\x20-\x7e]{0,199}$/,
    "is not printable ASCII of 1 to 200 characters",
  );
  const { allowPrivate = [], resolve: fixed = [] } = raw;
  problems.addressBlocks("--allow-private", allowPrivate);
  problems.fixedAddresses("--resolve", fixed);
  if (raw.out === "") problems.add("--out", raw.out, "is no folder");
  const [first] = problems.lines;
  if (first !== undefined) {
    throw new SluiceError("SLUICE_USAGE", problems.lines.join("\n"), { field: first.split(":", 1)[0] ?? "" });
  }
  return {
    brokers,
    prefix: prefix ?? env["SLUICE_PREFIX"] ?? "",
    partitions,
    apiPort: apiPort ?? apiPortDefault,
    metricsPort: metricsPort ?? metricsPortDefault,
    out: resolve(folder, raw.out ?? join("crawl-results", "up")),
    contact,
    allowPrivate,
    resolve: fixed,
  };
}
