/** From a kind of probe and its settings to what answers it. */
import { fetcherSettings, readConfig } from "@sluice/config";
import { addressBlocks } from "@sluice/http";
import { addressAnswers } from "./address-answer.ts";
import { fetchAnswers } from "./fetch-answer.ts";
import type { ProbeKind } from "./kinds.ts";
import { answerCanonical, answerEncoding, answerLinks, answerRobots, answerSitemap } from "./page-answers.ts";
import { HostWaits, type WaitClock } from "./probed-host.ts";
import type { Answerer } from "./session.ts";

export interface ProbeOptions {
  /** Of the command line; they come in place of those in the environment. */
  readonly allowPrivate: readonly string[];
  readonly resolve: readonly string[];
  readonly contact: string | null;
  readonly userAgent: string | null;
  readonly delayMs: number;
}

/** @throws SluiceError for a setting that is not allowed */
export function answererOf(
  kind: ProbeKind,
  options: ProbeOptions,
  env: NodeJS.ProcessEnv,
  clock: WaitClock,
): Answerer {
  switch (kind) {
    case "robots":
      return answerRobots;
    case "canonical":
      return answerCanonical;
    case "links":
      return answerLinks;
    case "encoding":
      return answerEncoding;
    case "sitemap":
      return answerSitemap;
    case "address":
      return addressAnswers(addressBlocks(settingsOf(options, env).allowPrivate));
    case "fetch":
      return fetchAnswers({
        client: settingsOf(options, env),
        waits: new HostWaits(clock),
        delayMs: options.delayMs,
      });
    default:
      return kind satisfies never;
  }
}

/** The fetcher's own settings, as its process would read them. */
function settingsOf(options: ProbeOptions, env: NodeJS.ProcessEnv) {
  const config = readConfig(fetcherSettings, env);
  return {
    userAgent: options.userAgent ?? config.userAgent,
    contact: options.contact ?? config.contact,
    allowPrivate: options.allowPrivate.length > 0 ? options.allowPrivate : config.allowPrivate,
    resolve: options.resolve.length > 0 ? options.resolve : config.resolve,
    localAddress: config.localAddress,
    proxy: config.proxy,
  };
}
