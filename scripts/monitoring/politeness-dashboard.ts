import { quantiles, shown } from "./dashboard-scope.ts";
import { graph, type Dashboard } from "./panel.ts";
import { max, sum } from "./promql.ts";

const { gauge, rate } = shown;

/** Why a URL is not fetched yet: the frontier's queues, the hosts' clocks, the fetchers' permits. */
export const politenessDashboard: Dashboard = {
  uid: "sluice-politeness",
  title: "Sluice / Frontier and politeness",
  description: "What the frontier knows and releases, and what holds hosts.",
  rows: [
    {
      title: "Frontier",
      panels: [
        graph(
          "Releases and answers",
          "reqps",
          {
            description:
              "URLs released, and the outcomes that gave their credits back. Over time the two are equal.",
          },
          ["released", `sum(${rate("sluice_frontier_released_urls_total")})`],
          ["answered {{kind}}", sum(["kind"], rate("sluice_frontier_answered_urls_total"))],
        ),
        graph(
          "Known URLs",
          "short",
          { description: "URLs kept as known, over all jobs: what the frontier's memory is made of." },
          ["{{instance}}", sum(["instance"], gauge("sluice_frontier_known_urls"))],
        ),
        graph(
          "Links found",
          "reqps",
          { description: "Links in scope that fetchers sent to the frontier, known ones included." },
          ["links", `sum(${rate("sluice_fetcher_discovered_urls_total")})`],
        ),
        graph(
          "Admitted URLs",
          "short",
          {
            description:
              "Of the present run of each job, by what became of them. Nothing leaves this sum but with its job.",
            stacked: true,
          },
          ["{{state}}", sum(["state"], gauge("sluice_frontier_urls"))],
        ),
        graph(
          "Waiting URLs by reason",
          "short",
          {
            description:
              "grant: a page grant of maxPages is asked for; due_time: a long delay; back_off: a failed try, or the host asked for a pause; breaker: that of the host; window: the host has all out that it may.",
            stacked: true,
          },
          ["{{reason}}", sum(["reason"], gauge("sluice_frontier_waiting_urls"))],
        ),
        graph(
          "Hosts of the frontier",
          "short",
          { description: "Hosts with something waiting or released, by state.", stacked: true },
          ["{{state}}", sum(["state"], gauge("sluice_frontier_hosts"))],
        ),
        graph(
          "Past their lease",
          "short",
          {
            description:
              "URLs released, not answered and past their lease. Only an answer releases them again: more than 0 for long is a lost one.",
            redFrom: 1,
          },
          ["{{instance}}", sum(["instance"], gauge("sluice_frontier_overdue_urls"))],
        ),
        graph(
          "Jobs",
          "short",
          {
            description: "Jobs by state; ending: the proof that nothing is left is under way.",
            stacked: true,
          },
          ["{{state}}", sum(["state"], gauge("sluice_frontier_jobs"))],
        ),
        graph(
          "Failed URLs asked for again",
          "short",
          { description: "In the present run of each job, by POST /v1/jobs/{id}/retry." },
          ["urls", `sum(${gauge("sluice_frontier_retried_urls")})`],
        ),
        graph("Ends of jobs", "cps", { description: "Runs of jobs that ended, by reason." }, [
          "{{reason}}",
          sum(["reason"], rate("sluice_frontier_ended_jobs_total")),
        ]),
        graph(
          "Records that wait for their job",
          "short",
          {
            description:
              "Links and seeds that name a job nobody has heard of yet; at the limit their topic waits.",
          },
          ["waiting", `sum(${gauge("sluice_frontier_pending_records")})`],
          ["limit", `sum(${gauge("sluice_frontier_pending_records_limit")})`],
        ),
        graph(
          "Lag that holds the crawl",
          "short",
          {
            description:
              "Lag of the reader of results that is furthest behind. Above the limit nothing is released until it has fallen to half.",
          },
          ["lag", `max(${gauge("sluice_frontier_downstream_lag_records")})`],
          ["limit", `max(${gauge("sluice_frontier_downstream_lag_records_limit")})`],
        ),
        graph(
          "Refused before release",
          "reqps",
          { description: "URLs that the frontier refused, by reason; each is told as an event." },
          ["{{reason}}", sum(["reason"], rate("sluice_frontier_refused_urls_total"))],
        ),
        graph(
          "Links announced again",
          "cps",
          {
            description:
              "Links of pages that were found by a shorter way after they were fetched. Only jobs with maxDepth have any.",
          },
          ["links", `sum(${rate("sluice_frontier_reannounced_urls_total")})`],
        ),
      ],
    },
    {
      title: "Rate limit",
      panels: [
        graph(
          "Hosts by what holds them",
          "short",
          {
            description: "Only ready hosts are asked; idle ones have nothing to be asked for.",
            stacked: true,
          },
          [
            "{{state}}",
            sum(
              ["state"],
              gauge("sluice_rate_limit_hosts", {
                state: ["ready", "politeness", "retry_after", "back_off", "breaker", "dead"],
              }),
            ),
          ],
        ),
        graph(
          "URLs waiting for a permit",
          "short",
          { description: "By what holds them; politeness is the normal one.", stacked: true },
          ["{{reason}}", sum(["reason"], gauge("sluice_rate_limit_waiting_urls"))],
        ),
        graph("Permits", "ops", { description: "Permits issued, a second." }, [
          "issued",
          `sum(${rate("sluice_rate_limit_issued_permits_total")})`,
        ]),
        graph("Permits not answered", "short", { description: "Permits that fetchers hold or work on." }, [
          "permits",
          `sum(${gauge("sluice_rate_limit_unanswered_permits")})`,
        ]),
        graph(
          "Wait for a permit",
          "s",
          { description: "From the release to the instant the permit is for." },
          ...quantiles("sluice_rate_limit_wait_seconds"),
        ),
        graph(
          "Sent back to wait longer",
          "reqps",
          {
            description:
              "A wait of more than a minute goes back to the frontier with its due time; queue: the host has too many URLs here for its delay.",
            stacked: true,
          },
          ["{{reason}}", sum(["reason"], rate("sluice_rate_limit_deferred_urls_total"))],
        ),
        graph(
          "Given up",
          "reqps",
          { description: "URLs refused because their host is dead, and URLs whose lease was over." },
          ["refused {{reason}}", sum(["reason"], rate("sluice_rate_limit_refused_urls_total"))],
          ["expired", `sum(${rate("sluice_rate_limit_expired_urls_total")})`],
        ),
        graph(
          "Ready to fetch",
          "short",
          { description: "By instance of rate-limit: what fetchers are scaled by." },
          ["{{instance}}", sum(["instance"], gauge("sluice_fetch_ready"))],
        ),
      ],
    },
    {
      title: "Fetcher",
      panels: [
        graph(
          "Permits held",
          "short",
          {
            description:
              "Permits taken in and not begun, by what holds them. ready for long: all slots of the fetcher are taken.",
            stacked: true,
          },
          ["{{reason}}", sum(["reason"], gauge("sluice_fetcher_held_permits"))],
        ),
        graph(
          "Requests",
          "reqps",
          { description: "Requests made, robots.txt included; with breaker_open none was made." },
          ["{{kind}} {{outcome}}", sum(["kind", "outcome"], rate("sluice_fetcher_requests_total"))],
        ),
        graph(
          "Time of a request",
          "s",
          { description: "The slowest twentieth, from the start to the end of the body or the failure." },
          ["p95 {{kind}}", shown.quantile(0.95, "sluice_fetcher_request_seconds", ["kind"])],
        ),
        graph(
          "Circuit breakers",
          "short",
          { description: "Breakers that are open or on their probe. Many at once: it is our own network." },
          ["{{state}}", sum(["state"], gauge("sluice_fetcher_breakers", { state: ["open", "half_open"] }))],
        ),
        graph(
          "Circuit breakers kept",
          "percentunit",
          {
            description:
              "Of the most that are kept, in the fullest fetcher; beyond it the oldest is forgotten.",
          },
          [
            "{{instance}}",
            `${sum(["instance"], gauge("sluice_fetcher_breakers"))} / ${sum(["instance"], gauge("sluice_fetcher_breakers_limit"))}`,
          ],
        ),
        graph(
          "Connections",
          "short",
          { description: "To hosts and proxies: with a request, or kept for the next one." },
          ["busy", sum(["job"], gauge("sluice_fetcher_busy_connections"))],
          ["idle", sum(["job"], gauge("sluice_fetcher_idle_connections"))],
        ),
        graph(
          "Connections, names and bodies kept",
          "percentunit",
          {
            description:
              "Of the most that are kept, in the fullest fetcher: idle connections, names with their addresses, and memory of bodies that are coming.",
          },
          [
            "connections {{instance}}",
            `${sum(["instance"], gauge("sluice_fetcher_idle_connections"))} / ${sum(["instance"], gauge("sluice_fetcher_idle_connections_limit"))}`,
          ],
          [
            "bodies {{instance}}",
            `${sum(["instance"], gauge("sluice_fetcher_body_memory_bytes"))} / ${sum(["instance"], gauge("sluice_fetcher_body_memory_bytes_limit"))}`,
          ],
          [
            "names {{instance}}",
            `${sum(["instance"], gauge("sluice_fetcher_dns_entries"))} / ${sum(["instance"], gauge("sluice_fetcher_dns_entries_limit"))}`,
          ],
        ),
        graph(
          "Deferred",
          "reqps",
          { description: "URLs sent back with a due time, by reason.", stacked: true },
          ["{{reason}}", sum(["reason"], rate("sluice_fetcher_deferred_urls_total"))],
        ),
        graph(
          "Refused",
          "reqps",
          { description: "URLs never fetched, by reason; robots: robots.txt forbids them.", stacked: true },
          ["{{reason}}", sum(["reason"], rate("sluice_fetcher_refused_urls_total"))],
        ),
        graph(
          "Expired",
          "reqps",
          { description: "URLs sent back because their lease was over before they could be begun." },
          ["expired", `sum(${rate("sluice_fetcher_expired_urls_total")})`],
        ),
        graph(
          "Hosts remembered",
          "percentunit",
          { description: "Of the most that are kept; beyond it quiet ones are forgotten." },
          [
            "{{instance}}",
            `${sum(["instance"], gauge("sluice_fetcher_hosts"))} / ${sum(["instance"], gauge("sluice_fetcher_hosts_limit"))}`,
          ],
        ),
        graph("Answers to robots.txt", "short", { description: "Remembered answers, by fetcher." }, [
          "{{instance}}",
          max(["instance"], gauge("sluice_fetcher_robots_entries")),
        ]),
      ],
    },
  ],
};
