import { prepareTopics } from "@sluice/process";
import { afterEach, describe, expect, it } from "vitest";
import { checkAudit } from "../../services/fetcher/src/audit-check.ts";
import { apiFleet, post } from "../fleet/api-fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { htmlPage, Origin, politenessViolations } from "../fleet/origin.ts";
import { testBrokers } from "./brokers.ts";
import { openWorld } from "./crawl-world.ts";

const cleanups: (() => Promise<void> | void)[] = [];

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

describe("host names of one registrable domain that share a clock, on a real Kafka", () => {
  it("are asked a delay apart by the origin's own log, and who is set to clocks by host is told so and changes nothing", async () => {
    const addresses = loopback(58, 3);
    const names = ["www", "shop", "deep.docs"].map((name) => `${name}.polite.example`);
    let port = 0;
    const { origin, observer, fleet } = await openWorld(
      addresses,
      (_, path) => {
        if (path === "/robots.txt") return { status: 404 };
        return htmlPage(path, path === "/" ? ["/a", ...names.map((name) => `http://${name}:${port}/`)] : []);
      },
      { name: "domains", cleanups, partitions: 4, politenessKey: "registrable-domain" },
    );
    port = origin.port;
    const resolve = names.map((name, index) => `${name}:${port}:${addresses[index] ?? ""}`).join(",");
    for (const service of ["frontier", "rate-limit"] as const) fleet.start(service);
    fleet.start("fetcher", 0, {}, { SLUICE_FETCHER_RESOLVE: resolve });
    const delayMs = 400;
    await observer.submit({
      id: "names",
      seeds: names.map((name) => `http://${name}:${port}/`),
      politeness: { delayMs },
    });
    const status = await observer.ended("names");
    expect(status).toMatchObject({ finishReason: "completed", done: 6, failed: 0 });

    // Each name has an address of its own, so each line says which name it was; to the delay they are one host.
    expect(new Set(origin.log.map(({ host }) => host))).toEqual(new Set(addresses));
    const asOne = origin.log.map((line) => ({ ...line, host: "polite.example" }));
    expect(asOne).toHaveLength(9);
    expect(politenessViolations(asOne, delayMs)).toEqual([]);

    const otherwise = { ...observer.layout, politenessKey: "host" as const };
    await expect(prepareTopics(observer.broker, otherwise, true)).rejects.toThrow(
      `${observer.layout.prefix}crawl.links: SLUICE_POLITENESS_KEY is registrable-domain, not host`,
    );
  });
});
