import { attemptsMaxDefault, retryRules } from "@sluice/http";
import { fetchCategories } from "@sluice/records";
import { code, page, table } from "./markdown.ts";

const seconds = (ms: number): string => (ms >= 60_000 ? `${ms / 60_000} min` : `${ms / 1000} s`);

export function retriesPage(): string {
  return page(
    "Retries",
    "`libs/http/src/retry-policy.ts`",
    `What becomes of a fetch by its category. The wait doubles with each try up to its limit, of which between a half and all is taken; a job's \`fetch.attemptsMax\` (${attemptsMaxDefault} unless given) bounds the tries of all categories. What the host asks for by Retry-After, its back-off and its breaker come on top. After the last try the URL has a result with the category.`,
    table(
      ["category", "tried again", "first wait", "longest wait", "tries at most"],
      fetchCategories.map((category) => {
        const { retry, baseDelayMs, delayMaxMs, attemptsMax } = retryRules[category];
        if (!retry) return [code(category), category === "http_4xx" ? "408 and 425 only" : "no", "", "", "1"];
        return [
          code(category),
          "yes",
          seconds(baseDelayMs),
          seconds(delayMaxMs),
          attemptsMax === undefined ? "as the job says" : String(attemptsMax),
        ];
      }),
    ),
    "Of the 5xx only 500, 502, 503 and 504 are tried again. URLs that end without a fetch have a reason of their own: `robots` and `robots_unreachable`, `blocked` by the operator, `host_unreachable` for a host that is given up, `cancelled`. An open breaker costs no try: the URL is `deferred` until the breaker may be tried. `parse` is a page that came and can't be read within the limits of time and memory; where only the texts that the job names could not be had, it is `ok`, and `note` of its event `url_crawled` says why. A failure that is none of these is `unknown`, counted by `sluice_fetcher_fetched_urls_total` under that category, with the code of what failed in `error_code` of its result. `sluice_fetcher_failed_requests_total` counts by that code; one that is in no table is `unlisted` there, and the log has a line with it and how often it came.",
  );
}
