import { exitCodes } from "@sluice/cli";
import { failureCodes, notRead, unlistedCode } from "@sluice/records";
import { errorCodes } from "@sluice/errors";
import { code, page, table } from "./markdown.ts";

export function errorsPage(): string {
  return page(
    "Errors",
    "`libs/errors/src/index.ts`",
    "A code is never used again for another meaning. Failed fetches are not errors: they are results, with their category in `outcome`.",
    table(
      ["code", "meaning"],
      Object.entries(errorCodes).map(([name, about]) => [code(name), about]),
    ),
    "## Codes of failed requests",
    "In `error_code` of results and in the metric `sluice_fetcher_failed_requests_total`. A failure whose code is not here is counted as `unlisted`, and logged as `unlisted_failure` with its code.",
    table(
      ["code", "meaning"],
      [
        ...Object.entries(failureCodes),
        [notRead.code, notRead.about] as const,
        [unlistedCode, "any other"] as const,
      ].map(([name, about]) => [code(name), about]),
    ),
    "## Exit codes of the command crawl",
    table(
      ["code", "meaning"],
      Object.values(exitCodes).map((exit) => [String(exit.code), exit.about]),
    ),
  );
}
