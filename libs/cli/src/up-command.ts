/** `sluice up`: its options as commander has them, and its help. */
import { Command } from "commander";
import { exitCodes, type Exit } from "./exit-codes.ts";
import { apiPortDefault, metricsPortDefault, parseUpOptions, type RawUpOptions } from "./up-options.ts";
import { userFolder } from "./user-folder.ts";

const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** @param onExit gets how the command ended */
export function upCommand(env: NodeJS.ProcessEnv, onExit: (exit: Exit) => void): Command {
  return new Command("up")
    .description("Runs the whole system on this machine until Ctrl-C: a real Kafka and one of each service.")
    .option(
      "--brokers <LIST>",
      "host:port, separated by commas (default: KAFKA_BROKERS, else a container, else a local JVM)",
    )
    .option("--prefix <TEXT>", "before the name of every topic and group (default: SLUICE_PREFIX, else none)")
    .option("--partitions <N>", "partitions of topics that are created, permanent (default: 12)")
    .option("--api-port <PORT>", `port of the page and the API (default: ${apiPortDefault})`)
    .option(
      "--metrics-port <PORT>",
      `port of the first service's metrics; the others have those that follow (default: ${metricsPortDefault})`,
    )
    .option("--out <DIR>", "folder of results.jsonl (default: crawl-results/up)")
    .option("--contact <TEXT>", "URL or mail address in the User-Agent, for those who are asked")
    .option(
      "--allow-private <CIDR>",
      "addresses that may be asked although they are not public; may be repeated",
      gather,
    )
    .option("--resolve <HOST:PORT:ADDR>", "fixed address of a host, as with curl; may be repeated", gather)
    .addHelpText("after", helpText)
    .action(async (raw: RawUpOptions) => {
      const options = parseUpOptions(raw, env, userFolder(env));
      // Kafka's client takes its time to load, which help and mistakes need not wait for.
      const { up } = await import("./up-session.ts");
      onExit(await up(options, env));
    });
}

const { usage, kafka, stopped, fatal } = exitCodes;
const helpText = `
The first Ctrl-C lets services finish what is under way, the second stops at once. Jobs that have not ended go on
with the next start.

Exit codes:
   0  stopped by the first signal
   ${usage.code}  an option or setting is not allowed, a port is taken, or the system runs already
   ${kafka.code}  ${kafka.about}
  ${stopped.code}  stopped at once by a second signal
  ${fatal.code}  ${fatal.about}`;
