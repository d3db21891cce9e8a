/** `sluice topics`: the topics of a Kafka on their own, for clusters where services may not create them. */
import { topicsActions, topicsCommand } from "@sluice/process";
import { Argument, Command } from "commander";
import type { Exit } from "./exit-codes.ts";

/** @param onExit gets how the command ended */
export function topicsSubcommand(env: NodeJS.ProcessEnv, onExit: (exit: Exit) => void): Command {
  return new Command("topics")
    .description(
      "Creates the topics of the table that are missing, or tells where topics differ from it; never changes one.\n" +
        "Reads the settings of every service: KAFKA_BROKERS, SLUICE_PREFIX, SLUICE_PARTITIONS and the others.",
    )
    .addArgument(
      new Argument("<action>", "wait: check again until all is right, 5 minutes at most").choices(
        topicsActions,
      ),
    )
    .addHelpText("after", "\nExit codes: 0 all topics are right, 2 some are not or a setting is wrong.")
    .action(async (action: string) => {
      const right = await topicsCommand(action, env, (line) => void process.stdout.write(`${line}\n`));
      onExit(right ? "done" : "usage");
    });
}
