import { exitCodes } from "@sluice/cli";
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
    "## Exit codes of the command crawl",
    table(
      ["code", "meaning"],
      Object.values(exitCodes).map((exit) => [String(exit.code), exit.about]),
    ),
  );
}
