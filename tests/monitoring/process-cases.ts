import type { processAlerts } from "../../scripts/monitoring/process-alerts.ts";
import { expected, input, type AlertCase, type Input } from "./alert-case.ts";

const ofFrontier = { service: "frontier" };
const atA = { service: "frontier", instance: "a:9464" };
const heap = (used: string): readonly Input[] => [
  input("sluice_process_memory_bytes", { ...ofFrontier, kind: "heap_used" }, used),
  input("sluice_process_heap_bytes_limit", ofFrontier, "1000x60"),
];
const delay = (quantile: string, values: string, instance = "a:9464"): Input =>
  input("sluice_process_event_loop_delay_seconds", { ...ofFrontier, instance, quantile }, values);

const clock = (values: string, instance = "a:9464"): Input =>
  input("sluice_runtime_clock_difference_seconds", { ...ofFrontier, instance }, values);

export const processCases: Readonly<Record<keyof typeof processAlerts, AlertCase>> = {
  SluiceHeapNearLimit: {
    fires: {
      given: heap("900x60"),
      atMinute: 5,
      alerts: [
        expected("frontier at a:9464 has used 90% of its heap at least, also after collections.", atA),
      ],
    },
    quiet: {
      because: "it fills up and is collected",
      given: heap("950x2 300x0 950x4 300x0 950x4 300x0 950x4 300x0 950x4 300x0 950x30"),
      atMinute: 25,
    },
  },
  SluiceEventLoopBlocked: {
    fires: {
      given: [delay("0.99", "0.8x30")],
      atMinute: 5,
      alerts: [expected("The loop of frontier at a:9464 is 800ms late; heartbeats are next.", atA)],
    },
    quiet: {
      because: "one turn was long, the others were not, or all are a little late",
      given: [delay("0.99", "0.02x30"), delay("1", "1.2x30"), delay("0.99", "0.2x30", "b:9464")],
      atMinute: 10,
    },
  },
  SluiceClocksApart: {
    fires: {
      given: [clock("0x4 -3600x30")],
      atMinute: 10,
      alerts: [expected("frontier at a:9464 and the broker are 1h 0m 0s apart.", atA)],
    },
    quiet: {
      because: "it is seconds, or one answer that took long",
      given: [clock("-2x30"), clock("0x5 45x1 0x30", "b:9464")],
      atMinute: 20,
    },
  },
};
