/** `sluice probe`: shows what the crawler makes of a page, a URL, a robots.txt, a sitemap or an address. */
import { SluiceError } from "@sluice/errors";
import { Argument, Command } from "commander";
import { setTimeout } from "node:timers/promises";
import type { Exit } from "./exit-codes.ts";
import { Problems } from "./option-checks.ts";
import type { ProbeOptions } from "./probe/answerers.ts";
import { probeKindNames, probeKinds, type ProbeKind } from "./probe/kinds.ts";

interface RawProbeOptions {
  readonly allowPrivate?: readonly string[];
  readonly resolve?: readonly string[];
  readonly contact?: string;
  readonly userAgent?: string;
  readonly delay?: string;
}

const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** @param onExit gets how the command ended */
export function probeCommand(env: NodeJS.ProcessEnv, onExit: (exit: Exit) => void): Command {
  return new Command("probe")
    .description(
      "Reads JSON objects on stdin, a line each, and answers each with a line of JSON: what the crawler itself makes of it.",
    )
    .addArgument(new Argument("<kind>", "what is asked about; see below").choices(probeKindNames))
    .optionsGroup("With address and fetch:")
    .option(
      "--allow-private <CIDR>",
      "addresses that may be asked although they are not public; may be repeated (default: SLUICE_FETCHER_ALLOW_PRIVATE)",
      gather,
    )
    .optionsGroup("With fetch:")
    .option("--resolve <HOST:PORT:ADDR>", "fixed address of a host, as with curl; may be repeated", gather)
    .option("--delay <MS>", "least time between two requests to a host (default: 1000)")
    .option("--user-agent <TEXT>", "User-Agent header (default: Sluice/<version> (+contact))")
    .option("--contact <TEXT>", "URL or mail address in the default User-Agent, for those who are asked")
    .addHelpText("after", helpText())
    .action(async (kind: ProbeKind, raw: RawProbeOptions) => {
      const options = parseProbeOptions(raw);
      const { answererOf } = await import("./probe/answerers.ts");
      const { probeLines } = await import("./probe/session.ts");
      const clock = { nowMs: () => performance.now(), sleep: (delayMs: number) => setTimeout(delayMs) };
      const answerer = answererOf(kind, options, env, clock);
      onExit(await probeLines(answerer, process.stdin, process.stdout));
    });
}

/** @throws SluiceError SLUICE_USAGE with one line for each problem */
export function parseProbeOptions(raw: RawProbeOptions): ProbeOptions {
  const problems = new Problems();
  const { allowPrivate = [], resolve = [] } = raw;
  problems.addressBlocks("--allow-private", allowPrivate);
  problems.fixedAddresses("--resolve", resolve);
  const printable = /^[\x21-\x7e][\x20-\x7e]{0,199}$/;
  const fault = "is not printable ASCII of 1 to 200 characters";
  const userAgent = problems.matching("--user-agent", raw.userAgent, printable, fault);
  const contact = problems.matching("--contact", raw.contact, printable, fault);
  const delayMs = problems.wholeNumber("--delay", raw.delay, 0, 86_400_000) ?? 1000;
  const [first] = problems.lines;
  if (first !== undefined)
    throw new SluiceError("SLUICE_USAGE", problems.lines.join("\n"), { field: first.split(":", 1)[0] ?? "" });
  return { allowPrivate, resolve, contact, userAgent, delayMs };
}

function helpText(): string {
  const kinds = Object.entries(probeKinds).map(([kind, about]) => `  ${kind.padEnd(10)} ${about}`);
  return `
Kinds:
${kinds.join("\n")}

For each <name>_base64 there may be <name> with the text itself. A line that can't be answered gets {error, field} in
its place. Example:
  echo '{"url":"HTTP://Example.com:80/a/../b?x#y"}' | npm run -s probe -- canonical

Exit codes: 0 every line was answered, 2 a line or an option is wrong.`;
}
