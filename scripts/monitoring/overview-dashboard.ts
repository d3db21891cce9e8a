import { quantiles, shown, slowest } from "./dashboard-scope.ts";
import { figure, graph, type Dashboard } from "./panel.ts";
import { max, sum } from "./promql.ts";

const { gauge, rate } = shown;
const pages = `sum(${rate("sluice_fetcher_fetched_urls_total")})`;

/** What an operator looks at first: does it move, how fast, what fails, what waits, is it well. */
export const overviewDashboard: Dashboard = {
  uid: "sluice-overview",
  title: "Sluice / Overview",
  description: "Throughput, outcomes, waiting work and health of a crawl as a whole.",
  rows: [
    {
      title: "At a glance",
      panels: [
        figure(
          "Pages per second",
          "reqps",
          { description: "URLs settled, each with one result in crawl.results, failures included." },
          pages,
        ),
        figure(
          "Share had",
          "percentunit",
          { description: "Of the settled URLs, those that were had: 2xx, or a redirect that is followed." },
          `sum(${rate("sluice_fetcher_fetched_urls_total", { category: ["ok", "redirect"] })}) / ${pages}`,
        ),
        figure(
          "Ready to fetch",
          "short",
          {
            description:
              "URLs that may be asked for now. Much of it for long: more fetchers help. Nothing, while URLs wait: it is politeness that holds the crawl, and no fetcher helps.",
          },
          `sum(${gauge("sluice_fetch_ready")})`,
        ),
        figure(
          "Waiting URLs",
          "short",
          { description: "URLs that are admitted and not released, whatever holds them." },
          `sum(${gauge("sluice_frontier_waiting_urls")})`,
        ),
        figure(
          "Credits out",
          "percentunit",
          {
            description: "URLs released and not answered, as a share of the most that may be.",
            redFrom: 1,
          },
          `sum(${gauge("sluice_frontier_unanswered_urls")}) / sum(${gauge("sluice_frontier_unanswered_urls_limit")})`,
        ),
        figure(
          "Processes",
          "none",
          { description: "Processes that were scraped, all services together." },
          `count(${gauge("sluice_process_start_time_seconds")})`,
        ),
      ],
    },
    {
      title: "Throughput",
      panels: [
        graph(
          "Settled URLs by category",
          "reqps",
          {
            description:
              "Each has one result. Categories are those of the field outcome of a result; a wave of timeouts over all hosts speaks of our own network.",
            stacked: true,
          },
          ["{{category}}", sum(["category"], rate("sluice_fetcher_fetched_urls_total"))],
        ),
        graph(
          "Tries that will be made again",
          "reqps",
          { description: "Failures that are not settled yet, by category.", stacked: true },
          ["{{category}}", sum(["category"], rate("sluice_fetcher_retried_urls_total"))],
        ),
        graph(
          "Failed requests by code",
          "reqps",
          {
            description:
              "What failed, beneath the category: the ten most frequent. Codes that are in no table are unlisted: the fetcher's log has each of them once a minute.",
            stacked: true,
          },
          ["{{code}}", `topk(10, ${sum(["code"], rate("sluice_fetcher_failed_requests_total"))})`],
        ),
        graph(
          "URLs refused or sent back",
          "reqps",
          {
            description:
              "Refused: never fetched (robots.txt, scope, a dead host, a cancelled job). Sent back: deferred to a later time, or past their lease.",
          },
          ["frontier refused {{reason}}", sum(["reason"], rate("sluice_frontier_refused_urls_total"))],
          ["rate-limit refused {{reason}}", sum(["reason"], rate("sluice_rate_limit_refused_urls_total"))],
          ["fetcher refused {{reason}}", sum(["reason"], rate("sluice_fetcher_refused_urls_total"))],
          ["rate-limit deferred {{reason}}", sum(["reason"], rate("sluice_rate_limit_deferred_urls_total"))],
          ["fetcher deferred {{reason}}", sum(["reason"], rate("sluice_fetcher_deferred_urls_total"))],
          ["rate-limit expired", `sum(${rate("sluice_rate_limit_expired_urls_total")})`],
          ["fetcher expired", `sum(${rate("sluice_fetcher_expired_urls_total")})`],
        ),
        graph(
          "Bytes of pages",
          "Bps",
          { description: "Bodies of settled URLs: as they came, and decoded." },
          ["wire", `sum(${rate("sluice_fetcher_wire_bytes_total")})`],
          ["decoded", `sum(${rate("sluice_fetcher_body_bytes_total")})`],
        ),
        graph(
          "Requests under way",
          "short",
          {
            description: "Requests asked for and not answered, those that wait for a slot included.",
            stacked: true,
          },
          ["{{kind}}", sum(["kind"], gauge("sluice_fetcher_running_requests"))],
        ),
        graph(
          "Bodies read in threads",
          "short",
          { description: "Large pages, selectors and sitemaps, which are read beside the event loop." },
          ["{{state}}", sum(["state"], gauge("sluice_fetcher_reader_calls"))],
        ),
        graph(
          "Sitemaps",
          "short",
          {
            description:
              "Sitemaps a second by what became of them, what they list, and how many are asked for at once of how many may be. Nothing where no job follows sitemaps.",
          },
          ["{{outcome}}", sum(["outcome"], rate("sluice_fetcher_read_sitemaps_total"))],
          ["listed, {{fate}}", sum(["fate"], rate("sluice_fetcher_sitemap_urls_total"))],
          ["at once", `sum(${gauge("sluice_fetcher_sitemap_calls")})`],
          ["limit", `sum(${gauge("sluice_fetcher_sitemap_calls_limit")})`],
        ),
        graph(
          "CPU time per page",
          "s",
          {
            description:
              "CPU seconds of each service for one settled URL. It should stay flat as the crawl grows.",
          },
          [
            "{{service}}",
            `${sum(["service"], rate("sluice_process_cpu_seconds_total"))} / on () group_left () ${pages}`,
          ],
        ),
      ],
    },
    {
      title: "Latency",
      panels: [
        graph(
          "First byte of a page",
          "s",
          { description: "From the request to the first byte: the hosts' own speed." },
          ...quantiles("sluice_fetcher_first_byte_seconds"),
        ),
        graph(
          "Wait for a permit",
          "s",
          {
            description:
              "From the release of a URL to the instant its permit is for. It is made of politeness; it grows where few hosts have many URLs.",
          },
          ...quantiles("sluice_rate_limit_wait_seconds"),
        ),
        graph(
          "Delivery of a result",
          "s",
          { description: "From the end of a fetch until its row is safe in the file of result-sink." },
          ...quantiles("sluice_result_sink_delivery_seconds"),
        ),
      ],
    },
    {
      title: "Where work waits",
      panels: [
        graph(
          "Ready or politely held",
          "short",
          {
            description:
              "Ready: may be fetched now. Held: may not, since its host was asked a moment ago, has failed, or asked for patience. Only the first is work for more fetchers.",
          },
          ["ready", `sum(${gauge("sluice_fetch_ready")})`],
          [
            "held in rate-limit",
            `sum(${gauge("sluice_rate_limit_waiting_urls", { reason: ["politeness", "retry_after", "back_off", "breaker", "dead"] })})`,
          ],
          [
            "held in frontier",
            `sum(${gauge("sluice_frontier_waiting_urls", { reason: ["window", "due_time", "back_off", "breaker"] })})`,
          ],
        ),
        graph(
          "Waiting in the frontier",
          "short",
          {
            description:
              "By what holds them. ready for long means that releases do not go out; back_pressure that readers of results lag; total that tasks have all their credits out.",
            stacked: true,
          },
          ["{{reason}}", sum(["reason"], gauge("sluice_frontier_waiting_urls"))],
        ),
        graph(
          "Releases not answered",
          "short",
          { description: "URLs released and not answered, and the most that may be." },
          ["released", `sum(${gauge("sluice_frontier_unanswered_urls")})`],
          ["limit", `sum(${gauge("sluice_frontier_unanswered_urls_limit")})`],
        ),
        graph(
          "Known URLs",
          "bytes",
          {
            description:
              "What links are checked against: a few bytes of each in memory, the rest on disk where a job has many. Waiting URLs themselves are on disk, but for heads of queues.",
          },
          ["memory", `sum(${gauge("sluice_frontier_known_bytes")})`],
          ["disk", `sum(${gauge("sluice_frontier_known_disk_bytes")})`],
        ),
        graph(
          "Waiting URLs in memory",
          "short",
          { description: "The heads of queues, and the most that they may hold together." },
          ["held", `sum(${gauge("sluice_frontier_head_urls")})`],
          ["limit", `sum(${gauge("sluice_frontier_head_urls_limit")})`],
        ),
        graph(
          "Lag that is work",
          "short",
          {
            description:
              "Records of each input that are not finished and wait for nobody's politeness. It should come back to about nothing.",
          },
          [
            "{{service}} {{topic}}",
            sum(["service", "topic"], gauge("sluice_runtime_lag_records", { state: "ready" })),
          ],
        ),
        graph(
          "Lag that is held",
          "short",
          { description: "Records read that wait for a host's turn, or for a job to be known." },
          [
            "{{service}} {{topic}}",
            sum(["service", "topic"], gauge("sluice_runtime_lag_records", { state: "held" })),
          ],
        ),
        graph(
          "Hosts",
          "short",
          {
            description:
              "Hosts by what rate-limit does with them now. Few ready hosts are a slow crawl, whatever the number of fetchers.",
            stacked: true,
          },
          ["{{state}}", sum(["state"], gauge("sluice_rate_limit_hosts"))],
        ),
      ],
    },
    {
      title: "Kafka",
      panels: [
        graph(
          "Unpersisted output",
          "short",
          {
            description:
              "Records gathered and not yet in a transaction, in the instance that has most. The alarm is at 500.",
            redFrom: 500,
          },
          ["{{service}}", max(["service"], gauge("sluice_runtime_unpersisted_records"))],
        ),
        graph(
          "Transactions",
          "ops",
          { description: "By outcome. After a failed one its task starts again from what is committed." },
          ["{{service}} {{outcome}}", sum(["service", "outcome"], rate("sluice_runtime_transactions_total"))],
        ),
        graph(
          "Time of a transaction",
          "s",
          { description: "The slowest hundredth of those that were committed: how the brokers do." },
          slowest("sluice_runtime_transaction_seconds", "service"),
        ),
        graph(
          "Dead letters",
          "recps",
          {
            description:
              "Records that could not be read and went to the dead letters of their topic. Should be 0.",
            redFrom: 0.001,
          },
          [
            "{{service}} {{topic}}",
            sum(["service", "topic"], rate("sluice_runtime_dead_letter_records_total")),
          ],
        ),
        graph(
          "Partitions paused",
          "short",
          { description: "Input partitions that are not read at the moment, by reason." },
          ["{{service}} {{reason}}", sum(["service", "reason"], gauge("sluice_runtime_paused_partitions"))],
        ),
        graph(
          "Joins of the group",
          "ops",
          { description: "Each is a rebalance, during which tasks stand still." },
          ["{{service}}", sum(["service"], rate("sluice_runtime_rebalances_total"))],
        ),
      ],
    },
    {
      title: "Processes",
      panels: [
        graph(
          "Event loop delay",
          "s",
          {
            description:
              "The slowest hundredth since the last scrape, in the worst instance. Beyond half a session (3 s) requests are held back, beyond a session tasks are lost.",
            redFrom: 0.5,
          },
          [
            "{{service}}",
            max(["service"], gauge("sluice_process_event_loop_delay_seconds", { quantile: "0.99" })),
          ],
        ),
        graph(
          "Memory",
          "bytes",
          { description: "Resident memory of each process. It should be flat, however long the crawl." },
          [
            "{{service}} {{instance}}",
            sum(["service", "instance"], gauge("sluice_process_memory_bytes", { kind: "resident" })),
          ],
        ),
        graph(
          "CPU cores",
          "short",
          {
            description: "Cores in use by each process. The loop of a process can use little more than one.",
          },
          [
            "{{service}} {{instance}}",
            sum(["service", "instance"], rate("sluice_process_cpu_seconds_total")),
          ],
        ),
      ],
    },
  ],
};
