import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, type AddressInfo, type Server } from "node:net";
import { Breakers, createHttpClient, type HttpClient, type ResolveHost } from "@sluice/http";
import { defaultJob } from "@sluice/records";
import { classifyAddress } from "@sluice/web";
import { afterEach, describe, expect, test } from "vitest";
import type { FetchCall, FetchOutcome } from "../../services/fetcher/src/calls.ts";
import { performFetches } from "../../services/fetcher/src/perform.ts";
import { inlineReader } from "../../services/fetcher/src/reading/reader.ts";
import { noWait } from "../../services/fetcher/test/answers.ts";
import { plainRequests } from "../../services/fetcher/test/plain-requests.ts";

/** Every kind of request that the product makes to a URL of a crawl; a new kind does not compile without its line. */
const callsOf = {
  robots: (url: string): FetchCall => ({
    kind: "robots",
    domain: new URL(url).hostname,
    url,
    totalTimeoutMs: 10_000,
    secrets: [],
    policy: {},
    ...noWait,
  }),
  page: (url: string): FetchCall => ({
    kind: "page",
    domain: new URL(url).hostname,
    url,
    fetch: defaultJob().fetch,
    policy: {},
    ...noWait,
  }),
  sitemap: (url: string): FetchCall => ({
    kind: "sitemap",
    domain: new URL(url).hostname,
    url,
    fetch: defaultJob().fetch,
    policy: {},
    ...noWait,
  }),
} satisfies Record<FetchCall["kind"], (url: string) => FetchCall>;
const kinds = Object.keys(callsOf) as (keyof typeof callsOf)[];

const metadata = [
  "169.254.169.254",
  "2852039166",
  "0xa9fea9fe",
  "0251.0376.0251.0376",
  "169.254.43518",
  "[::ffff:169.254.169.254]",
  "[::ffff:a9fe:a9fe]",
  "[64:ff9b::a9fe:a9fe]",
  "[2002:a9fe:a9fe::]",
  "[2001:0:a9fe:a9fe::]",
  "[fd00:ec2::254]",
  "100.100.100.200",
];

describe("every request that the product makes to a URL of a crawl", () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  /** With the real classification of addresses. */
  function performerWith(options: Partial<Parameters<typeof createHttpClient>[0]>) {
    const client: HttpClient = createHttpClient({
      userAgent: "test",
      isAllowed: (ip) => classifyAddress(ip, []),
      ...options,
    });
    closers.push(() => client.destroy());
    const perform = performFetches(
      new Breakers(client, { nowMs: () => 0 }),
      plainRequests(),
      inlineReader(() => 0),
      () => 0,
    );
    return (call: FetchCall): Promise<FetchOutcome> => perform(call, new AbortController().signal);
  }

  /** Counts what comes in on all addresses of this machine. */
  async function target(): Promise<{ readonly port: number; readonly accepted: () => number }> {
    let accepted = 0;
    const server: Server = createServer((socket) => {
      accepted += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    return { port: (server.address() as AddressInfo).port, accepted: () => accepted };
  }

  /** TCP sockets that this process begins to open meanwhile. */
  async function openedDuring(act: () => Promise<void>): Promise<number> {
    let opened = 0;
    const count = (): void => void (opened += 1);
    subscribe("net.client.socket", count);
    try {
      await act();
    } finally {
      unsubscribe("net.client.socket", count);
    }
    return opened;
  }

  test.each(kinds)("a %s opens no socket to the metadata address, however it is written", async (kind) => {
    const resolveHost: ResolveHost = () => Promise.resolve({ addresses: ["169.254.169.254"], ttlMs: 0 });
    const perform = performerWith({ resolveHost });
    const opened = await openedDuring(async () => {
      for (const host of [...metadata, "metadata.test"]) {
        for (const scheme of ["http", "https"]) {
          const outcome = await perform(callsOf[kind](`${scheme}://${host}/latest/meta-data/`));
          expect([host, outcome]).toMatchObject([host, { answer: { category: "address_refused" } }]);
        }
      }
    });
    expect(opened).toBe(0);
  });

  test.each(kinds)("1,000 times a %s of a name that is rebound reaches the target no time", async (kind) => {
    const { port, accepted } = await target();
    let nowMs = 0;
    let asked = 0;
    // A public address for the check and a private one for the connection, by turns, from one answer to the next.
    const resolveHost: ResolveHost = () => {
      asked += 1;
      const addresses = asked % 2 === 1 ? ["127.0.0.1", "10.0.0.1"] : ["127.0.0.1"];
      return Promise.resolve({ addresses, ttlMs: 0 });
    };
    const perform = performerWith({ resolveHost, monotonicMs: () => nowMs });
    const opened = await openedDuring(async () => {
      for (let tries = 0; tries < 1_000; tries += 1) {
        nowMs += 60_000;
        const outcome = await perform(callsOf[kind](`http://rebind.test:${port}/`));
        expect(outcome).toMatchObject({ answer: { category: "address_refused" } });
      }
    });
    expect([asked, opened, accepted()]).toEqual([1_000, 0, 0]);
  });

  test("counts sockets rightly: one that is allowed is seen", async () => {
    const { port, accepted } = await target();
    const perform = performerWith({ isAllowed: () => ({ allowed: true, reason: "a test" }) });
    const opened = await openedDuring(async () => {
      await perform(callsOf.page(`http://127.0.0.1:${port}/`));
    });
    expect([opened, accepted()]).toEqual([1, 1]);
  });
});
