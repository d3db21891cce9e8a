import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { Fleet } from "../fleet/fleet.ts";
import { Graph, loopback } from "../fleet/graph.ts";
import { Observer } from "../fleet/observer.ts";
import { Origin } from "../fleet/origin.ts";
import { missingBrowser, openPage, startBrowser } from "../page/chromium.ts";
import { testBrokers } from "./brokers.ts";

if (missingBrowser !== null) process.stderr.write(`Skipped the page on a real Kafka: ${missingBrowser}.\n`);

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const pollOptions = { timeout: 180_000, interval: 100 };
const token = "token-of-this-test";

/** The address that the API says it listens at. */
async function addressOf(fleet: Fleet): Promise<string> {
  let address: unknown;
  await expect
    .poll(
      () => (address = fleet.log("api", 0).find(({ event }) => event === "listening")?.["address"]),
      pollOptions,
    )
    .toBeTypeOf("string");
  return String(address);
}

describe.skipIf(missingBrowser !== null)("the page of the API on a real Kafka", () => {
  it("takes a job from its form, shows it to its end, and has the API's own figures", async () => {
    const addresses = loopback(47, 4);
    let port = 0;
    const graph = new Graph({
      hosts: addresses,
      pagesPerHost: 10,
      port: () => port,
      seed: 47,
      crossLinks: 2,
    });
    const origin = await Origin.start(addresses, (host, path) => graph.site(host, path));
    port = origin.port;
    cleanups.push(() => origin.close());
    const prefix = `page-test-${process.pid}.`;
    const observer = await Observer.open(testBrokers(), prefix, 4);
    cleanups.push(() => observer.close());
    const folder = mkdtempSync(join(tmpdir(), "sluice-page-"));
    cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
    const fleet = new Fleet(folder, {
      KAFKA_BROKERS: testBrokers().join(","),
      SLUICE_PREFIX: prefix,
      SLUICE_PARTITIONS: "4",
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
      SLUICE_API_PORT: "0",
      SLUICE_API_TOKEN: token,
    });
    cleanups.push(() => fleet.stop());
    for (const service of ["api", "frontier", "rate-limit", "fetcher"] as const) fleet.start(service);
    const api = await addressOf(fleet);
    const browser = await startBrowser();
    cleanups.push(() => browser.close());
    const { page, complaints } = await openPage(browser, `${api}/`);
    const text = (id: string): Promise<string> => page.locator(`#${id}`).innerText();

    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.getByRole("button", { name: "Continue" }).click();
    await expect.poll(() => text("no-job"), pollOptions).toContain("No jobs yet");
    await page.getByRole("button", { name: "New job" }).click();
    const seed = graph.url(0, "/");
    await page.getByLabel("Start URLs").fill(`nowhere\n${seed}`);
    await page.getByLabel("Scope").selectOption("any");
    await page.getByLabel("Delay per host, ms").fill("50");
    await page.getByLabel("Name").fill("by-form");
    await page.getByRole("button", { name: "Start the job" }).click();
    await expect.poll(() => text("seeds-error"), pollOptions).toMatch(/^Line 1: /);
    await page.getByLabel("Start URLs").fill(seed);
    await page.getByRole("button", { name: "Start the job" }).click();
    await expect.poll(() => text("job-title"), pollOptions).toBe("by-form");
    await expect.poll(() => text("stream-state"), pollOptions).toBe("All events have come.");
    await expect.poll(() => text("job-condition"), pollOptions).toBe("completed");

    const answer = await fetch(`${api}/v1/jobs/by-form`, { headers: { authorization: `Bearer ${token}` } });
    const { status } = (await answer.json()) as { status: Record<string, number> };
    const names = ["admitted", "done", "failed", "skipped", "waiting", "inFlight"];
    const shown = await Promise.all(names.map((name) => text(`figure-${name}`)));
    expect(shown.map(Number)).toEqual(names.map((name) => status[name]));
    const reachable = graph.reachable([seed]);
    expect(Number(status["done"]) + Number(status["failed"])).toBe(reachable.size);
    const rows = await page.locator("#pages .address").allInnerTexts();
    expect(rows.length).toBeGreaterThan(20);
    expect(new Set(rows).size).toBe(rows.length);
    expect(rows.filter((url) => !reachable.has(url))).toEqual([]);
    expect(await page.locator("#misread").isVisible()).toBe(false);
    const picture = join(folder, "page.png");
    await page.screenshot({ path: picture, fullPage: true });
    expect(statSync(picture).size).toBeGreaterThan(10_000);
    // The answers to the missing token and to the URL that is none.
    expect(complaints.filter((each) => !/status of 40[01]/.test(each))).toEqual([]);
  });
});
