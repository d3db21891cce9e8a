/** What is said where the launcher gives up. */
import { deathText, type GivenUp } from "./launcher.ts";
import { lastCause } from "./service-process.ts";

export function givenUpText({ spec, death, deaths }: GivenUp): string {
  const cause = lastCause(spec.logPath);
  return [
    `${spec.name} ${deathText(death)}${deaths > 1 ? `, ${deaths} times in a minute` : ""}; the crawl was stopped, and the same command goes on with it.`,
    ...(cause === null ? [] : [`  cause: ${cause}`]),
    `  log:   ${spec.logPath}`,
  ].join("\n");
}
