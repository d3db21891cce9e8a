import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { missingBrowser, openPage, startBrowser } from "./chromium.ts";
import { PageApp, type ServedStream } from "./page-app.ts";
import { completed, crawled, failed, job, ticks } from "./page-events.ts";

if (missingBrowser !== null) process.stderr.write(`Skipped the tests of the page: ${missingBrowser}.\n`);

const pollOptions = { timeout: 15_000, interval: 50 };
/** What Chromium itself writes about an answer that the page deals with. */
const networkNoise = /^Failed to load resource:/;

let browser: Browser;
let app: PageApp;
let page: Page;
let complaints: readonly string[] = [];

async function open(options: BrowserContextOptions = {}): Promise<void> {
  ({ page, complaints } = await openPage(browser, app.url, options));
}

const text = (id: string): Promise<string> => page.locator(`#${id}`).innerText();
const eventually = (id: string) => expect.poll(() => text(id), { ...pollOptions, message: id });
const rows = (id: string): Promise<readonly string[]> => page.locator(`#${id} > li`).allInnerTexts();
const tally = { done: 7, failed: 2, skipped: 1, waiting: 30, inFlight: 4 };
const figures = async (): Promise<object> => ({
  done: await text("figure-done"),
  failed: await text("figure-failed"),
  skipped: await text("figure-skipped"),
  inFlight: await text("figure-inFlight"),
  waiting: await text("figure-waiting"),
  admitted: await text("figure-admitted"),
});

/** The page with one job, and its stream. */
async function openJob(options: BrowserContextOptions = {}): Promise<ServedStream> {
  app.setJob({ id: job }, { updatedAtMs: 1, startedAtMs: 1 });
  await open(options);
  return app.stream();
}

describe.skipIf(missingBrowser !== null)("the page in a real Chromium", () => {
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  afterEach(async () => {
    await page?.close();
    await app.close();
    expect(complaints.filter((each) => !networkNoise.test(each))).toEqual([]);
  });

  it("shows the jobs, and of the one looked at its figures as they come", async () => {
    app = await PageApp.start();
    app.setJob(
      { id: "older", submittedAtMs: 1 },
      { state: "ended", finishReason: "completed", done: 9, admitted: 9 },
    );
    app.setJob({ id: "halted", desired: "paused", submittedAtMs: 2 }, { state: "paused" });
    const stream = await openJob();
    expect(stream.job).toBe("halted");
    await page.getByRole("link", { name: job }).click();
    const own = await app.stream();
    expect(own.job).toBe(job);
    expect((await rows("jobs")).map((row) => row.split("\n").slice(0, 3).join(" "))).toEqual([
      expect.stringMatching(/^halted paused/),
      expect.stringMatching(/^docs running/),
      expect.stringMatching(/^older completed 9 of 9 URLs/),
    ]);
    for (let number = 0; number < 30; number += 1) own.send(crawled(number), `0:${number}`);
    own.send(failed(30, { category: "dns", detail: "no such host", attempt: 3, final: true }), "0:30");
    for (const [index, event] of ticks(4, tally).entries()) own.send(event, `0:${31 + index}`);
    await eventually("figure-waiting").toBe("30");
    expect(await figures()).toEqual({
      done: "7",
      failed: "2",
      skipped: "1",
      inFlight: "4",
      waiting: "30",
      admitted: "44",
    });
    expect(await text("stream-state")).toBe("Live");
    expect([await text("elapsed"), await text("queue"), await text("rate")]).toEqual(["0:04", "30", "7.5"]);
    expect(await page.locator("#rate-chart .line").getAttribute("d")).toMatch(/^M[\d.]+,[\d.]+L/);
    expect((await rows("pages"))[0]).toMatch(/200\s+Page 29\s+https:\/\/site\.example\/29\s+13 ms/);
    expect((await rows("failures"))[0]).toMatch(
      /dns\s+attempt 3, given up\s+https:\/\/site.+\s+no such host/,
    );
    expect(await page.locator("#shares").getAttribute("aria-label")).toContain(
      "44 known URLs: 7 done, 2 failed",
    );

    for (const [index, event] of ticks(5, { ...tally, done: 30, waiting: 7 }).entries())
      own.send(event, `0:${40 + index}`);
    await eventually("figure-done").toBe("30");
    app.setJob({ id: job }, { state: "ended", finishReason: "completed", admitted: 50, done: 48, failed: 2 });
    own.send(completed(65, { admitted: 50, done: 48, failed: 2 }), "0:50");
    own.end();
    await eventually("stream-state").toBe("All events have come.");
    expect(await figures()).toMatchObject({
      done: "48",
      failed: "2",
      waiting: "0",
      inFlight: "0",
      admitted: "50",
    });
    await eventually("job-condition").toBe("completed");
    expect(await text("elapsed")).toBe("1:05");
    expect(await page.locator(".orders button:visible").count()).toBe(0);
  });

  it("goes on after an event that can't be read, and says how many there were and what was wrong", async () => {
    app = await PageApp.start();
    const stream = await openJob();
    stream.send(crawled(1), "0:1");
    stream.sendText('id: 0:2\nevent: url_crawled\ndata: {"type":"url_crawled",\n\n');
    stream.send(crawled(3), "0:3");
    stream.sendText('id: 0:4\nevent: weather\ndata: {"rain":true}\n\n');
    stream.sendText(`id: 0:5\nevent: progress\ndata: {"type":"progress","job":"${job}"}\n\n`);
    stream.send(crawled(6), "0:6");
    await expect.poll(() => rows("pages").then((all) => all.length), pollOptions).toBe(3);
    expect(await text("misread")).toMatch(/^3 events could not be understood\. The last: progress\.run/);
    expect(await text("stream-state")).toBe("Live");
  });

  it("says that the connection is lost, comes back after the last event, and shows nothing twice", async () => {
    app = await PageApp.start();
    // Long enough to be seen.
    app.retryMs = 8000;
    const stream = await openJob();
    for (const number of [1, 2, 3]) stream.send(crawled(number), `0:${number}`);
    await expect.poll(() => rows("pages").then((all) => all.length), pollOptions).toBe(3);
    stream.cut();
    await eventually("stream-state").toMatch(/^Connection lost: .+\.$/);
    await eventually("stream-wait").toMatch(/^Reconnecting in [1-8] s$/);
    expect(await page.locator("#stream-state").getAttribute("role")).toBe("status");
    await page.getByRole("button", { name: "Try now" }).click();
    const again = await app.stream();
    expect(again.lastEventId).toBe("0:3");
    // A server that repeats itself all the same.
    for (const number of [2, 3, 4]) again.send(crawled(number), `0:${number}`);
    await expect.poll(() => rows("pages").then((all) => all.length), pollOptions).toBe(4);
    expect((await rows("pages")).map((row) => /Page (\d)/.exec(row)?.[1])).toEqual(["4", "3", "2", "1"]);
    expect(await text("stream-state")).toBe("Live");
    // By itself too, in the middle of an event.
    again.sendText("id: 0:5\nevent: url_cra");
    again.end();
    expect((await app.stream()).lastEventId).toBe("0:4");
    await eventually("stream-state").toBe("Live");
  });

  it("takes a stream for lost on which nothing comes, not even a comment, for 45 s", async () => {
    app = await PageApp.start();
    app.retryMs = 20_000;
    app.setJob({ id: job });
    ({ page, complaints } = await openPage(browser, "about:blank"));
    await page.clock.install();
    await page.goto(app.url);
    await app.stream();
    await eventually("stream-state").toBe("Live");
    await page.clock.fastForward(45_000);
    await eventually("stream-state").toBe("Connection lost: nothing has come for 45 s.");
    complaints = complaints.filter((each) => !each.startsWith("request to "));
  });

  it("shows what strangers have written as text, and links only to web pages", async () => {
    app = await PageApp.start();
    const stream = await openJob();
    const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    stream.send(crawled(1, { title: hostile, url: "javascript:alert(1)" }), "0:1");
    stream.send(crawled(2, { title: "\u202Egnp.exe", url: `https://site.example/"><img src=x>` }), "0:2");
    stream.send(
      failed(3, { category: hostile, detail: hostile, url: "data:text/html,<script>1</script>" }),
      "0:3",
    );
    stream.send(crawled(4, { title: "y".repeat(100_000), note: hostile }), "0:4");
    await expect.poll(() => rows("pages").then((all) => all.length), pollOptions).toBe(3);
    expect((await rows("pages")).at(-1)).toContain(hostile);
    expect((await rows("failures"))[0]).toContain(hostile);
    expect(await page.locator(".recent img, .recent script").count()).toBe(0);
    expect(await page.locator("#pages a, #failures a").count()).toBe(2);
    expect(await page.title()).toBe(`${job} – Sluice`);
    expect((await rows("pages"))[0]?.length).toBeLessThan(2000);
    const isTrusted = await page.evaluate(
      "(() => { try { document.body.innerHTML = '<p>'; return true } catch { return false } })()",
    );
    expect(isTrusted).toBe(false);
    await expect.poll(() => complaints, pollOptions).toContain("policy: require-trusted-types-for");
    complaints = complaints.filter((each) => !/[Tt]rusted/.test(each));
  });

  it("keeps the document small through 10,000 events", async () => {
    app = await PageApp.start();
    const stream = await openJob();
    for (let number = 0; number < 5000; number += 1) {
      stream.send(crawled(number), `0:${2 * number}`);
      stream.send(failed(number), `0:${2 * number + 1}`);
    }
    stream.send(ticks(500, tally)[0] ?? crawled(0), "0:10000");
    await eventually("pages-note").toBe("latest 50 of 5,000");
    await eventually("failures-note").toBe("latest 50 of 5,000");
    expect([await rows("pages"), await rows("failures")].map((all) => all.length)).toEqual([50, 50]);
    expect((await rows("pages"))[0]).toContain("Page 4999");
    expect(Number(await page.evaluate("document.querySelectorAll('*').length"))).toBeLessThan(1200);
  });

  it("orders pause, resume and cancel, the last only when asked twice, and says what the API objects", async () => {
    app = await PageApp.start();
    await openJob();
    const orderOf = (order: string): string => `POST /v1/jobs/${job}/${order}`;
    app.onNext(orderOf("pause"), () => app.setJob({ id: job, desired: "paused" }));
    await page.getByRole("button", { name: "Pause" }).click();
    await eventually("job-condition").toBe("pausing");
    app.setJob({ id: job, desired: "paused" }, { state: "paused" });
    await eventually("job-condition").toBe("paused");
    app.script(orderOf("resume"), 503, { detail: "Kafka did not answer.", errors: [] });
    await page.getByRole("button", { name: "Resume" }).click();
    await eventually("order-trouble").toBe("Kafka did not answer.");
    app.onNext(orderOf("resume"), () => app.setJob({ id: job }));
    await page.getByRole("button", { name: "Resume" }).click();
    await eventually("job-condition").toBe("running");
    expect(await page.locator("#order-trouble").isVisible()).toBe(false);
    await page.locator("#cancel").click();
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.locator("#cancel").click();
    app.onNext(orderOf("cancel"), () => app.setJob({ id: job, desired: "cancelled" }));
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await eventually("job-condition").toBe("cancelling");
    const orders = app.asked
      .filter(({ method }) => method === "POST")
      .map(({ path }) => path.split("/").at(-1));
    expect(orders).toEqual(["pause", "resume", "resume", "cancel"]);
  });

  it("submits a job, and shows each objection beside its field until it is mended", async () => {
    app = await PageApp.start();
    await open();
    await eventually("no-job").toContain("No jobs yet");
    await page.getByRole("button", { name: "New job" }).click();
    await page.getByLabel("Start URLs").fill("https://site.example/\n\nnowhere");
    await page.getByLabel("Most pages").fill("many");
    await page.getByLabel("Delay per host, ms").fill("50");
    app.script("POST /v1/jobs", 400, {
      detail: "The body of the request is not as it has to be.",
      errors: [
        { field: "seeds.1", message: "invalid_url: has no host" },
        { field: "limits.maxPages", message: "expected number" },
      ],
    });
    await page.getByRole("button", { name: "Start the job" }).click();
    await eventually("seeds-error").toBe("Line 3: invalid_url: has no host");
    expect(await text("maxPages-error")).toBe("expected number");
    expect(await page.locator("#delayMs-error").isVisible()).toBe(false);
    const atFault = page.locator("[aria-invalid=true]");
    expect(await Promise.all((await atFault.all()).map((each) => each.getAttribute("id")))).toEqual([
      "seeds",
      "maxPages",
    ]);
    expect(await page.evaluate("document.activeElement.id")).toBe("seeds");
    await page.getByLabel("Start URLs").fill("https://site.example/");
    await page.getByLabel("Most pages").fill("5");
    app.script("POST /v1/jobs", 503, { detail: "Kafka did not answer.", errors: [] });
    await page.getByRole("button", { name: "Start the job" }).click();
    await eventually("order-error").toBe("Kafka did not answer.");
    expect(await atFault.count()).toBe(0);
    app.setJob({ id: "made" }, null);
    app.script("POST /v1/jobs", 201, { id: "made", run: 1 });
    await page.getByRole("button", { name: "Start the job" }).click();
    expect((await app.stream()).job).toBe("made");
    await eventually("job-title").toBe("made");
    await eventually("job-condition").toBe("submitted");
    const [, second, third] = app.askedFor("POST /v1/jobs");
    const body = { seeds: ["https://site.example/"], limits: { maxPages: 5 }, politeness: { delayMs: 50 } };
    expect([second?.body, third?.body]).toEqual([body, body]);
    // The API refuses other origins by this where it asks for no token.
    expect(third?.headers.origin).toBe(app.url.slice(0, -1));
    // An answer that may have been lost: the same key, so that there are not two jobs.
    expect(third?.headers["idempotency-key"]).toBe(second?.headers["idempotency-key"]);
  });

  it("asks for the token when the API does, keeps it for this tab alone, and sends it with the stream", async () => {
    app = await PageApp.start();
    app.token = "s3cret";
    app.setJob({ id: job });
    await open();
    await page.getByLabel("Token", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: "Continue" }).click();
    await eventually("token-error").toBe("The API did not take this token.");
    await page.getByLabel("Token", { exact: true }).fill("s3cret");
    await page.getByRole("button", { name: "Continue" }).click();
    const stream = await app.stream();
    stream.send(crawled(1), "0:1");
    await expect.poll(() => rows("pages").then((all) => all.length), pollOptions).toBe(1);
    expect(app.askedFor(`GET /v1/jobs/${job}/events`).at(-1)?.headers.authorization).toBe("Bearer s3cret");
    expect(
      await page.evaluate("[localStorage.length, document.cookie, Object.values(sessionStorage)]"),
    ).toEqual([0, "", ["s3cret"]]);
    await page.getByRole("button", { name: "Forget the token" }).click();
    await page.getByLabel("Token", { exact: true }).waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });

  it("says when the list can't be had, keeps the old one, and follows a job that an address names", async () => {
    app = await PageApp.start();
    app.setJob({ id: job });
    ({ page, complaints } = await openPage(browser, `${app.url}#job=missing`));
    complaints = complaints.filter((each) => !each.startsWith("request to "));
    await eventually("stream-state").toBe("No events: There is no job missing.");
    await expect.poll(() => rows("jobs").then((all) => all.length), pollOptions).toBe(1);
    app.script("GET /v1/jobs", 503, { detail: "The topic could not be read.", errors: [] });
    await eventually("list-state").toMatch(/^The topic could not be read\. The list is from \d+ s ago\.$/);
    expect(await rows("jobs")).toHaveLength(1);
    await eventually("list-state").toBe("");
    complaints = complaints.filter((each) => !each.startsWith("request to "));
  });

  it("fits the widths of a telephone and of a wall, light and dark, every control named and in reach", async () => {
    app = await PageApp.start();
    const folder = mkdtempSync(join(tmpdir(), "sluice-page-"));
    const stream = await openJob({ viewport: { width: 360, height: 740 } });
    stream.send(
      crawled(1, { title: "w".repeat(300), url: `https://site.example/${"v".repeat(300)}` }),
      "0:1",
    );
    stream.send(failed(2, { category: "c".repeat(60), detail: "d".repeat(300) }), "0:2");
    await expect
      .poll(() => rows("failures").then((all) => all[0]?.length ?? 0), pollOptions)
      .toBeGreaterThan(100);
    for (const width of [360, 390, 768, 1280, 1600]) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        expect(await page.evaluate("document.documentElement.scrollWidth"), String(width)).toBe(width);
        await page.screenshot({ path: join(folder, `${width}-${colorScheme}.png`) });
      }
    }
    rmSync(folder, { recursive: true });
    const unnamed = `[...document.querySelectorAll("button, input, select, textarea, a")]
      .filter((each) => !(each.labels?.length > 0) && each.textContent.trim() === "").map((each) => each.outerHTML)`;
    expect(await page.evaluate(unnamed)).toEqual([]);
    const landmarks = ["banner", "main", "navigation"] as const;
    for (const role of landmarks) expect(await page.getByRole(role).count(), role).toBe(1);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Skip to the job");
  });
});
