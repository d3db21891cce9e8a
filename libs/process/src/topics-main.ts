/**
 * `node topics-main.ts [create|check|wait]`: the topics alone, for containers, which have no command line program. Reads
 * the settings of every service. Ends with 0 where all topics are as they have to be, 1 where not, 2 where a setting
 * or the action is wrong.
 */
import { messageOf, SluiceError } from "@sluice/errors";
import { topicsCommand } from "./topics-command.ts";

const say = (line: string): void => void process.stderr.write(`${line}\n`);
try {
  process.exit((await topicsCommand(process.argv[2] ?? "create", process.env, say)) ? 0 : 1);
} catch (error) {
  say(messageOf(error));
  process.exit(error instanceof SluiceError && error.code === "SLUICE_CONFIG_INVALID" ? 2 : 1);
}
