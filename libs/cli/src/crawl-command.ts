/** `sluice crawl`: its options as commander has them, and its help. */
import { Command } from "commander";
import { scopeKinds } from "@sluice/records";
import { parseCrawlOptions, type RawCrawlOptions } from "./crawl-options.ts";
import { exitCodesText, type Exit } from "./exit-codes.ts";
import { userFolder } from "./user-folder.ts";

const gather = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** @param onExit gets how the command ended */
export function crawlCommand(env: NodeJS.ProcessEnv, onExit: (exit: Exit) => void): Command {
  return new Command("crawl")
    .description(
      "Crawls from the URLs until all in scope is had, through a real Kafka, and writes results.jsonl and summary.json.",
    )
    .argument("[URL...]", "where the crawl begins; http or https")
    .optionsGroup("What is crawled:")
    .option("--max-pages <N>", "most results, failures included (default: no limit)")
    .option("--max-depth <N>", "most links from a URL given; those are 0 (default: no limit)")
    .option("--max-duration <SECONDS>", "the job ends after this time (default: no limit)")
    .option("--scope <KIND>", `how far from the URLs given: ${scopeKinds.join(", ")} (default: host)`)
    .option("--sitemaps", "crawls also what the sitemaps of the hosts of the URLs given list")
    .option("--include <GLOB>", "a URL must match one of these; may be repeated", gather)
    .option(
      "--exclude <GLOB>",
      "a URL that matches is left out, whatever --include says; may be repeated",
      gather,
    )
    .optionsGroup("How hosts are asked:")
    .option("--delay <MS>", "least time between two requests to a host (default: 1000)")
    .option("--concurrency-per-host <N>", "most requests to a host at once (default: 1)")
    .option(
      "--max-concurrency <N>",
      "most requests at once over all hosts; 1: one after the other (default: 64 a fetcher)",
    )
    .option("--request-timeout <MS>", "deadline of one request (default: 30000)")
    .option("--attempts <N>", "tries of a URL before it counts as failed (default: 3)")
    .option("--user-agent <TEXT>", "User-Agent header (default: Sluice/<version> (+contact))")
    .option("--contact <TEXT>", "URL or mail address in the default User-Agent, for those who are asked")
    .option(
      "--allow-private <CIDR>",
      "addresses that may be asked although they are not public; may be repeated",
      gather,
    )
    .option("--resolve <HOST:PORT:ADDR>", "fixed address of a host, as with curl; may be repeated", gather)
    .optionsGroup("Results and job:")
    .option("--out <DIR>", "folder of results.jsonl and summary.json (default: crawl-results/<job>)")
    .option("--json", "results on stdout too, a line each, and nothing else there")
    .option("--job <NAME>", "name of the job (default: host and a hash of URLs and scope)")
    .optionsGroup("Kafka and services:")
    .option(
      "--brokers <LIST>",
      "host:port, separated by commas (default: KAFKA_BROKERS, else a container, else a local JVM)",
    )
    .option("--partitions <N>", "partitions of the job's topics, permanent (default: 12)")
    .option("--prefix <TEXT>", "before the name of every topic and group of the job (default: <job>.)")
    .option(
      "--retention <MS>",
      "how long records stay in topics that are not compacted (default: as the table of topics says)",
    )
    .option("--frontiers <N>", "frontier processes (default: 1)")
    .option("--fetchers <N>", "fetcher processes (default: 1)")
    .addHelpText("after", `${resumeText}\n${exitCodesText()}`)
    .action(async (urls: readonly string[], raw: RawCrawlOptions) => {
      const options = parseCrawlOptions(urls, raw, userFolder(env));
      // Kafka's client takes its time to load, which help and mistakes need not wait for.
      const { crawl } = await import("./crawl-session.ts");
      onExit(await crawl(options, env));
    });
}

const resumeText = `
The same command goes on with a job that was interrupted, and begins a new run of one that has finished; the
results of the run before are moved to results.run-<n>.jsonl. The first Ctrl-C drains, the second stops at once.
Options of an unfinished job must stay as they were; those of fetchers (user agent, addresses, concurrency) may change.`;
