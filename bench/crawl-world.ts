/** What the benches of whole crawls stand on: a Kafka, the services as processes, and a reader of what comes out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestKafka } from "@sluice/local-kafka/testing";
import { Fleet, type ServiceName } from "../tests/fleet/fleet.ts";
import { Observer } from "../tests/fleet/observer.ts";

export const services: readonly ServiceName[] = ["frontier", "rate-limit", "fetcher", "result-sink"];

export interface CrawlWorld {
  readonly observer: Observer;
  readonly fleet: Fleet;
  close(): Promise<void>;
}

/** A Kafka of its own; no service runs yet. */
export async function openCrawlWorld(name: string): Promise<CrawlWorld> {
  const dir = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  const kafka = await startTestKafka();
  const prefix = `${name}-${process.pid}.`;
  const observer = await Observer.open(kafka.brokers, prefix, 12);
  const fleet = new Fleet(dir, {
    KAFKA_BROKERS: kafka.brokers.join(","),
    SLUICE_PREFIX: prefix,
    SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    SLUICE_SINK_DIR: join(dir, "results"),
  });
  return {
    observer,
    fleet,
    close: async () => {
      await fleet.stop();
      await observer.close();
      await kafka.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
