/** Checks of single option values. A problem is a sentence that begins with the option or argument at fault. */
import { isIP } from "node:net";
import { canonicalize, compileScope, parseCidr } from "@sluice/web";

/** Gathers problems, so that all of them can be told at once. */
export class Problems {
  readonly lines: string[] = [];

  add(field: string, given: string, fault: string): void {
    this.lines.push(`${field}: ${JSON.stringify(given)} ${fault}`);
  }

  /** Null where the option is not given; also where its value is at fault, which is then noted. */
  wholeNumber(
    field: string,
    given: string | undefined,
    min: number,
    max = Number.MAX_SAFE_INTEGER,
  ): number | null {
    if (given === undefined) return null;
    const value = /^[+-]?\d+$/.test(given) ? Number(given) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    this.add(field, given, `is not a whole number ${range}`);
    return null;
  }

  oneOf<Choice extends string>(
    field: string,
    given: string | undefined,
    choices: readonly Choice[],
  ): Choice | null {
    if (given === undefined) return null;
    const choice = choices.find((each) => each === given);
    if (choice === undefined) this.add(field, given, `is none of ${choices.join(", ")}`);
    return choice ?? null;
  }

  matching(field: string, given: string | undefined, pattern: RegExp, fault: string): string | null {
    if (given === undefined) return null;
    if (pattern.test(given)) return given;
    this.add(field, given, fault);
    return null;
  }

  /** Canonical seeds, each once, in the order given. */
  seeds(given: readonly string[]): readonly string[] {
    const seeds = new Set<string>();
    for (const raw of given) {
      const url = canonicalize(raw);
      if (url.kind === "url") seeds.add(url.url);
      else this.add("URL", raw, faultOfSeed(raw, url.detail));
    }
    if (given.length === 0) this.lines.push("URL: give at least one URL to start from");
    return [...seeds];
  }

  globs(field: "--include" | "--exclude", given: readonly string[]): void {
    for (const glob of given) {
      try {
        compileScope({ kind: "any", seeds: [], include: [glob] });
      } catch (error) {
        this.add(field, glob, `is no glob: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  addressBlocks(field: string, given: readonly string[]): void {
    for (const block of given) {
      if (parseCidr(block) === null)
        this.add(field, block, "is no address block such as 127.0.0.0/8 or ::1/128");
    }
  }

  fixedAddresses(field: string, given: readonly string[]): void {
    for (const entry of given) {
      const [, port, address] = /^[^:,\s]+:(\d{1,5}):\[?([0-9a-fA-F.:]+)\]?$/.exec(entry) ?? [];
      if (
        port === undefined ||
        address === undefined ||
        isIP(address) === 0 ||
        Number(port) < 1 ||
        Number(port) > 65_535
      ) {
        this.add(field, entry, "is not HOST:PORT:ADDRESS with an IP address, e.g. example.org:443:127.0.0.1");
      }
    }
  }

  brokers(field: string, given: string | undefined): readonly string[] | null {
    if (given === undefined) return null;
    const brokers = given
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
    const isAddress = (broker: string): boolean => {
      const port = /^(?:[^\s:/]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(broker)?.[1];
      return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
    };
    if (brokers.length > 0 && brokers.every(isAddress)) return brokers;
    this.add(field, given, "is not a list of host:port separated by commas");
    return null;
  }
}

/** Whether `raw` would do with `https://` before it: people leave the scheme out. */
function faultOfSeed(raw: string, detail: string): string {
  const lacksScheme =
    !/^[a-z][a-z0-9+.-]*:\/\//i.test(raw) && /^[^\s/:?#@]+\.[^\s/:?#@]+|^localhost\b/i.test(raw);
  if (lacksScheme && canonicalize(`https://${raw}`).kind === "url") {
    return `has no scheme; did you mean https://${raw}`;
  }
  return `is no URL that can be crawled: ${detail}`;
}
