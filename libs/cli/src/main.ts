/** The command line program `sluice`. */
import { SluiceError, messageOf } from "@sluice/errors";
import { Command, CommanderError } from "commander";
import { crawlCommand } from "./crawl-command.ts";
import { exitCodes, exitOfError, type Exit } from "./exit-codes.ts";
import { handedOn } from "./last-words.ts";
import { probeCommand } from "./probe-command.ts";
import { topicsSubcommand } from "./topics-subcommand.ts";
import { upCommand } from "./up-command.ts";

const exitCode = exitCodes[await run(process.argv.slice(2))].code;
await handedOn([process.stdout, process.stderr]);
process.exit(exitCode);

async function run(args: readonly string[]): Promise<Exit> {
  let exit: Exit = "done";
  const program = new Command("sluice")
    .description("A streaming web crawler whose services talk through Apache Kafka.")
    .exitOverride();
  const crawl = crawlCommand(process.env, (ended) => {
    exit = ended;
  });
  program.addCommand(crawl.copyInheritedSettings(program));
  const up = upCommand(process.env, (ended) => {
    exit = ended;
  });
  program.addCommand(up.copyInheritedSettings(program));
  const probe = probeCommand(process.env, (ended) => {
    exit = ended;
  });
  program.addCommand(probe.copyInheritedSettings(program));
  const topics = topicsSubcommand(process.env, (ended) => {
    exit = ended;
  });
  program.addCommand(topics.copyInheritedSettings(program));
  try {
    await program.parseAsync(args, { from: "user" });
    return exit;
  } catch (error) {
    // commander has said what is wrong by then; help that was asked for is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? "done" : "usage";
    process.stderr.write(`${textOf(error)}\n`);
    return error instanceof SluiceError ? exitOfError(error.code) : "fatal";
  }
}

/** What is to be told: of a bug also where it is. */
function textOf(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
