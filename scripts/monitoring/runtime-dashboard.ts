import { shown, slowest } from "./dashboard-scope.ts";
import { graph, type Dashboard } from "./panel.ts";
import { max, sum, type GaugeName } from "./promql.ts";

const { gauge, rate } = shown;

const byProcess = "{{service}} {{instance}}";
const each = (expression: string): string => sum(["service", "instance"], expression);

/** How full something is, in the fullest process of each service. */
const fill = (value: GaugeName, limit: GaugeName): readonly [string, string] => [
  "{{service}}",
  `max by (service) (${each(gauge(value))} / ${each(gauge(limit))})`,
];

/** The loop of each process and what it does with Kafka. */
export const runtimeDashboard: Dashboard = {
  uid: "sluice-runtime",
  title: "Sluice / Runtime and Kafka",
  description: "Reading, holding, committing and restoring, process by process.",
  rows: [
    {
      title: "Reading",
      panels: [
        graph("Records read", "recps", { description: "From each input." }, [
          "{{service}} {{topic}}",
          sum(["service", "topic"], rate("sluice_runtime_consumed_records_total")),
        ]),
        graph("Bytes read", "Bps", { description: "From each input." }, [
          "{{service}} {{topic}}",
          sum(["service", "topic"], rate("sluice_runtime_consumed_bytes_total")),
        ]),
        graph(
          "Lag by topic",
          "short",
          {
            description: "Records not finished; held ones wait for a host's turn, or for a job to be known.",
          },
          [
            "{{service}} {{topic}} {{state}}",
            sum(["service", "topic", "state"], gauge("sluice_runtime_lag_records")),
          ],
        ),
        graph("Steps", "ops", { description: "Steps taken by each process." }, [
          byProcess,
          each(rate("sluice_runtime_steps_total")),
        ]),
        graph(
          "Oldest unfinished record",
          "s",
          {
            description:
              "Age of the oldest record that was read and is not finished. A line that climbs like a clock is a stuck record.",
          },
          [byProcess, max(["service", "instance"], gauge("sluice_runtime_oldest_unfinished_seconds"))],
        ),
        graph(
          "Places in logs that were gone",
          "short",
          { description: "By what was met: records may be lost, or done again.", redFrom: 1 },
          [
            "{{service}} {{event}}",
            sum(["service", "event"], rate("sluice_runtime_position_loss_events_total")),
          ],
        ),
        graph(
          "Clock apart from the broker's",
          "s",
          { description: "Taken from the broker at the start, compared once a minute." },
          [byProcess, max(["service", "instance"], gauge("sluice_runtime_clock_difference_seconds"))],
        ),
        graph(
          "Seconds paused",
          "short",
          {
            description:
              "Partitions paused on average, by reason: records and bytes are back-pressure, offset_map and span one record that holds up its partition.",
          },
          ["{{service}} {{reason}}", sum(["service", "reason"], rate("sluice_runtime_paused_seconds_total"))],
        ),
      ],
    },
    {
      title: "Limits: how full, in the fullest process",
      panels: [
        graph(
          "Records held",
          "percentunit",
          { description: "Read and not finished; a partition at its share is paused.", redFrom: 1 },
          fill("sluice_runtime_held_records", "sluice_runtime_held_records_limit"),
        ),
        graph(
          "Bytes held",
          "percentunit",
          { description: "Read and not finished; a partition at its share is paused.", redFrom: 1 },
          fill("sluice_runtime_held_bytes", "sluice_runtime_held_bytes_limit"),
        ),
        graph(
          "Span of offsets",
          "percentunit",
          {
            description:
              "From the offset that may be committed to the position; at 1 the partition is paused.",
            redFrom: 1,
          },
          fill("sluice_runtime_span_offsets", "sluice_runtime_span_offsets_limit"),
        ),
        graph(
          "Unpersisted records",
          "percentunit",
          {
            description: "Output not yet in a transaction; a task at its share commits at once.",
            redFrom: 1,
          },
          fill("sluice_runtime_unpersisted_records", "sluice_runtime_unpersisted_records_limit"),
        ),
        graph(
          "Unpersisted bytes",
          "percentunit",
          {
            description: "Output not yet in a transaction; a task at its share begins no further record.",
            redFrom: 1,
          },
          fill("sluice_runtime_unpersisted_bytes", "sluice_runtime_unpersisted_bytes_limit"),
        ),
        graph(
          "Calls under way",
          "percentunit",
          { description: "Requests of a fetcher, writes of a sink; at 1 further ones wait for a slot." },
          fill("sluice_runtime_running_calls", "sluice_runtime_running_calls_limit"),
        ),
        graph(
          "Slow calls",
          "percentunit",
          {
            description:
              "Under way for longer than a second, without a slot, of the most that may be: hosts that answer late.",
          },
          fill("sluice_runtime_slow_calls", "sluice_runtime_slow_calls_limit"),
        ),
        graph("Calls waiting for a slot", "short", { description: "They have what they need but a slot." }, [
          byProcess,
          each(gauge("sluice_runtime_waiting_calls")),
        ]),
      ],
    },
    {
      title: "Committing",
      panels: [
        graph(
          "Transactions by outcome",
          "ops",
          {
            description:
              "fenced: a newer owner has the task; failed: the task starts again from what is committed.",
          },
          ["{{service}} {{outcome}}", sum(["service", "outcome"], rate("sluice_runtime_transactions_total"))],
        ),
        graph(
          "Records written",
          "recps",
          { description: "In committed transactions, changes of state included." },
          ["{{service}}", sum(["service"], rate("sluice_runtime_written_records_total"))],
        ),
        graph(
          "Slowest transactions",
          "s",
          { description: "The slowest hundredth of those that were committed." },
          slowest("sluice_runtime_transaction_seconds", "service"),
        ),
        graph(
          "Dropped as stale",
          "ops",
          {
            description:
              "Batches at an old position and answers of calls whose task was gone: normal around a rebalance.",
          },
          ["batches {{service}}", sum(["service"], rate("sluice_runtime_stale_batches_total"))],
          ["calls {{service}}", sum(["service"], rate("sluice_runtime_stale_calls_total"))],
        ),
      ],
    },
    {
      title: "Group and state",
      panels: [
        graph(
          "Tasks by phase",
          "short",
          {
            description: "Over all phases, each service has as many tasks as there are partitions.",
            stacked: true,
          },
          ["{{service}} {{phase}}", sum(["service", "phase"], gauge("sluice_runtime_tasks"))],
        ),
        graph("Rebalances", "ops", { description: "Joins of the group, by process." }, [
          byProcess,
          each(rate("sluice_runtime_rebalances_total")),
        ]),
        graph(
          "Time of a rebalance",
          "s",
          {
            description: "Until every task of the instance ran again, state restored: the slowest hundredth.",
          },
          slowest("sluice_runtime_rebalance_seconds", "service"),
        ),
        graph(
          "Age of the last heartbeat",
          "percentunit",
          { description: "Of half a session; at 1 no call to the outside is begun.", redFrom: 1 },
          fill("sluice_runtime_heartbeat_age_seconds", "sluice_runtime_heartbeat_age_seconds_limit"),
        ),
        graph(
          "Calls withheld",
          "ops",
          { description: "Calls that had to wait because the group had not been heard of." },
          [byProcess, each(rate("sluice_runtime_withheld_calls_total"))],
        ),
        graph("Entries of state", "short", { description: "What a new owner has to read back." }, [
          byProcess,
          each(gauge("sluice_runtime_state_entries")),
        ]),
        graph(
          "Since the last checkpoint",
          "s",
          {
            description:
              "What a restart has to read of the changelog. Below SLUICE_CHECKPOINT_MS, or 0 without a disk.",
          },
          [byProcess, each(gauge("sluice_runtime_checkpoint_age_seconds"))],
        ),
        graph(
          "Restoring",
          "short",
          { description: "Changelog of tasks that are being restored: read so far, and to be read in all." },
          ["read {{service}}", sum(["service"], gauge("sluice_runtime_restore_read_records"))],
          ["in all {{service}}", sum(["service"], gauge("sluice_runtime_restore_target_records"))],
        ),
      ],
    },
    {
      title: "Process",
      panels: [
        graph(
          "Event loop delay by quantile",
          "s",
          {
            description:
              "In the worst process of each service, since the last scrape; 1 is the longest delay.",
          },
          [
            "{{service}} {{quantile}}",
            max(["service", "quantile"], gauge("sluice_process_event_loop_delay_seconds")),
          ],
        ),
        graph("Memory by kind", "bytes", { description: "Of all processes of a service together." }, [
          "{{service}} {{kind}}",
          sum(["service", "kind"], gauge("sluice_process_memory_bytes")),
        ]),
        graph(
          "Heap",
          "percentunit",
          { description: "Used, of the most the heap may have; beyond it the process ends.", redFrom: 0.85 },
          [
            byProcess,
            `${each(gauge("sluice_process_memory_bytes", { kind: "heap_used" }))} / ${each(gauge("sluice_process_heap_bytes_limit"))}`,
          ],
        ),
        graph("CPU cores by mode", "short", { description: "Cores in use." }, [
          "{{service}} {{mode}}",
          sum(["service", "mode"], rate("sluice_process_cpu_seconds_total")),
        ]),
        graph(
          "Uptime",
          "s",
          {
            description: "Since the process started. Teeth of a saw are a process that dies again and again.",
          },
          [byProcess, `time() - ${max(["service", "instance"], gauge("sluice_process_start_time_seconds"))}`],
        ),
        graph(
          "Unlisted values",
          "short",
          {
            description:
              "Labels' values that are in no table and count as `other`, each second. The log has them as unlisted_value.",
          },
          ["{{service}}", sum(["service"], rate("sluice_process_unlisted_values_total"))],
        ),
      ],
    },
  ],
};
