import { afterEach, describe, expect, it } from "vitest";
import { checkAudit } from "../../services/fetcher/src/audit-check.ts";
import { apiFleet, post } from "../fleet/api-fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { Origin, politenessViolations } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** The promise of docs/politeness.md. */
const inForceMs = 5000;

describe("a host that is blocked while a crawl runs, on a real Kafka", () => {
  it("is asked for nothing from 5 s after the operator's word on, the others go on, and the audit agrees with the origin", async () => {
    const hosts = loopback(57, 4);
    let port = 0;
    const graph = new Graph({ hosts, pagesPerHost: 60, port: () => port, seed: 57, crossLinks: 2 });
    const origin = await Origin.start(hosts, (host, path) => graph.site(host, path));
    cleanups.push(() => origin.close());
    port = origin.port;
    const fleet = await apiFleet({
      brokers: testBrokers(),
      prefix: `policies-${process.pid}.`,
      services: ["frontier", "rate-limit", "fetcher"],
      env: { SLUICE_FETCHER_AUDIT: "true" },
    });
    cleanups.push(() => fleet.close());
    const { observer, apis } = fleet;
    const [api = ""] = apis;
    const [blocked = ""] = hosts;
    const seeds = hosts.map((_, index) => graph.url(index, "/"));
    await post(`${api}/v1/jobs`, { id: "all", seeds, scope: { kind: "any" }, politeness: { delayMs: 250 } });
    const asked = (): number => origin.log.filter(({ host }) => host === blocked).length;
    await observer.until("requests to the host", () => asked() >= 5);

    const answer = await fetch(`${api}/v1/policies/${blocked}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ blocked: { reason: "the owner asked" } }),
    });
    expect(answer.status).toBe(201);
    const saidAtMs = performance.now();
    const status = await observer.ended("all");
    expect(status.finishReason).toBe("completed");

    const late = origin.log.filter(({ host, startMs }) => host === blocked && startMs > saidAtMs + inForceMs);
    expect(late).toEqual([]);
    const last = Math.max(...origin.log.filter(({ host }) => host === blocked).map(({ startMs }) => startMs));
    process.stdout.write(
      `last request to the blocked host ${Math.round(last - saidAtMs)} ms after the word\n`,
    );
    const refused = observer.events.flatMap((event) =>
      event.type === "url_failed" && event.category === "blocked" ? [event] : [],
    );
    expect(refused.length).toBeGreaterThan(0);
    for (const event of refused)
      expect(event).toMatchObject({ detail: "the owner asked", refused: true, final: true });
    expect(refused.every(({ url }) => new URL(url).hostname === blocked)).toBe(true);
    expect(status.admitted).toBe(status.done + status.failed + status.skipped);
    expect(politenessViolations(origin.log, 250)).toEqual([]);

    const report = checkAudit(fleet.fleet.log("fetcher", 0).map((line) => JSON.stringify(line)));
    expect(report.faults).toEqual([]);
    expect(report.hosts).toBe(hosts.length);
    expect(report.requests).toBe(origin.log.length);
  });
});
