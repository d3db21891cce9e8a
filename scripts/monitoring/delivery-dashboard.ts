import { quantiles, shown } from "./dashboard-scope.ts";
import { graph, type Dashboard } from "./panel.ts";
import { sum } from "./promql.ts";

const { gauge, rate } = shown;

/** What leaves the crawl: the file of results, the API and its streams. */
export const deliveryDashboard: Dashboard = {
  uid: "sluice-delivery",
  title: "Sluice / Results and API",
  description: "The sink that writes results, and what people and programs ask of the API.",
  rows: [
    {
      title: "Result sink",
      panels: [
        graph("Rows written", "rowsps", { description: "Rows that are safe on disk." }, [
          "rows",
          `sum(${rate("sluice_result_sink_written_rows_total")})`,
        ]),
        graph(
          "Writes",
          "ops",
          { description: "Batches, by outcome; one that failed is tried again until it is written." },
          ["{{outcome}}", sum(["outcome"], rate("sluice_result_sink_writes_total"))],
        ),
        graph(
          "Time of a write",
          "s",
          { description: "Its sync to the disk included." },
          ...quantiles("sluice_result_sink_write_seconds"),
        ),
        graph(
          "Time until a row is safe",
          "s",
          { description: "From the end of the fetch, by the clocks of fetcher and sink." },
          ...quantiles("sluice_result_sink_delivery_seconds"),
        ),
        graph(
          "Rows not written",
          "short",
          {
            description:
              "Read and in no batch, in a batch, and the most there may be: then its partition is read no further.",
          },
          ["waiting", `sum(${gauge("sluice_result_sink_waiting_rows")})`],
          ["in batches", `sum(${gauge("sluice_result_sink_batch_rows")})`],
          ["limit", `sum(${gauge("sluice_result_sink_unwritten_rows_limit")})`],
        ),
        graph(
          "Tasks whose last write failed",
          "short",
          { description: "A full disk, a lost volume, missing rights.", redFrom: 1 },
          ["{{instance}}", sum(["instance"], gauge("sluice_result_sink_failing_tasks"))],
        ),
        graph(
          "Rows that came again",
          "rowsps",
          {
            description:
              "Delivered twice after a crash, or twice in the topic without transactions; not written again.",
          },
          ["rows", `sum(${rate("sluice_result_sink_repeated_rows_total")})`],
        ),
        graph(
          "Ids remembered",
          "short",
          { description: "Of the rows written last: one of them that comes again is known." },
          ["{{instance}}", sum(["instance"], gauge("sluice_result_sink_known_rows"))],
          ["limit", `sum(${gauge("sluice_result_sink_known_rows_limit")})`],
        ),
        graph("Size of the file", "bytes", { description: "Bytes that are safe; it is not rotated." }, [
          "{{instance}}",
          sum(["instance"], gauge("sluice_result_sink_file_bytes")),
        ]),
      ],
    },
    {
      title: "API",
      panels: [
        graph("Requests by status", "reqps", { description: "All routes together, by class of status." }, [
          "{{status}}",
          sum(["status"], rate("sluice_api_requests_total")),
        ]),
        graph("Requests by route", "reqps", { description: "Routes as they are declared." }, [
          "{{method}} {{route}}",
          `${sum(["method", "route"], rate("sluice_api_requests_total"))} > 0`,
        ]),
        graph(
          "Time of a request",
          "s",
          { description: "Streams left out." },
          ...quantiles("sluice_api_request_seconds"),
        ),
        graph(
          "Removed jobs",
          "cps",
          {
            description:
              "Jobs that ended, and whose record and state were removed: by request, or by expiry.",
          },
          ["{{by}}", sum(["by"], rate("sluice_api_removed_jobs_total"))],
        ),
        graph(
          "Open streams",
          "short",
          { description: "By what they carry, and the most there may be: then clients are answered 429." },
          ["{{kind}}", sum(["kind"], gauge("sluice_api_open_streams"))],
          ["limit", `sum(${gauge("sluice_api_open_streams_limit")})`],
        ),
        graph("Events sent", "cps", { description: "To all clients together." }, [
          "events",
          `sum(${rate("sluice_api_streamed_events_total")})`,
        ]),
        graph(
          "Streams that ended",
          "ops",
          {
            description: "slow: the client read too slowly and was dropped; failed: Kafka could not be read.",
          },
          ["{{reason}}", sum(["reason"], rate("sluice_api_ended_streams_total"))],
        ),
      ],
    },
  ],
};
