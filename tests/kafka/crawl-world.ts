/** What a crawl through the Kafka of these tests needs: an origin, topics of its own, and services as processes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PolitenessKey } from "@sluice/records";
import { Fleet } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { Origin, type Site } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

export interface CrawlWorld {
  readonly origin: Origin;
  readonly observer: Observer;
  /** None is started yet. */
  readonly fleet: Fleet;
  readonly prefix: string;
}

export interface CrawlWorldOptions {
  /** Begins the names of the topics. */
  readonly name: string;
  /** What has to be ended after the test, the last first. */
  readonly cleanups: (() => Promise<void> | void)[];
  readonly partitions: number;
  readonly env?: Readonly<Record<string, string>>;
  /** By host where omitted. */
  readonly politenessKey?: PolitenessKey;
}

let opened = 0;

export async function openWorld(
  addresses: readonly string[],
  site: Site,
  { name, cleanups, partitions, env = {}, politenessKey = "host" }: CrawlWorldOptions,
): Promise<CrawlWorld> {
  opened += 1;
  const prefix = `${name}-${process.pid}-${opened}.`;
  const origin = await Origin.start(addresses, site);
  cleanups.push(() => origin.close());
  const observer = await Observer.open(testBrokers(), prefix, partitions, true, politenessKey);
  cleanups.push(() => observer.close());
  const dir = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const fleet = new Fleet(dir, {
    KAFKA_BROKERS: testBrokers().join(","),
    SLUICE_PREFIX: prefix,
    SLUICE_PARTITIONS: String(partitions),
    SLUICE_POLITENESS_KEY: politenessKey,
    SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    SLUICE_SINK_DIR: join(dir, "results"),
    ...env,
  });
  cleanups.push(() => fleet.stop());
  return { origin, observer, fleet, prefix };
}

/** The same with a web whose oracle is known: hosts of the block of addresses, linked with each other. */
export async function openGraphWorld(
  block: number,
  hosts: number,
  pagesPerHost: number,
  options: CrawlWorldOptions,
): Promise<CrawlWorld & { readonly graph: Graph }> {
  const addresses = loopback(block, hosts);
  let port = 0;
  const graph = new Graph({ hosts: addresses, pagesPerHost, port: () => port, seed: block, crossLinks: 2 });
  const made = await openWorld(addresses, (host, path) => graph.site(host, path), options);
  port = made.origin.port;
  return { ...made, graph };
}
