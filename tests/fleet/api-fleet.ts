/** Replicas of the API on topics of their own, with the services that a test wants beside them, and a client. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fleet, type ServiceName } from "./fleet.ts";
import { Observer } from "./observer.ts";

export interface ApiFleet {
  readonly observer: Observer;
  readonly fleet: Fleet;
  /** Addresses of the replicas. */
  readonly apis: readonly string[];
  /** Folder of results.jsonl. */
  readonly sinkDir: string;
  close(): Promise<void>;
}

export interface ApiFleetOptions {
  readonly brokers: readonly string[];
  readonly prefix: string;
  /** One process of each. */
  readonly services: readonly ServiceName[];
  readonly env?: Readonly<Record<string, string>>;
}

const replicas = [0, 1];
/** Machines that run tests are slow and busy. */
const readyWithinMs = 180_000;

export async function apiFleet({ brokers, prefix, services, env = {} }: ApiFleetOptions): Promise<ApiFleet> {
  const observer = await Observer.open(brokers, prefix, 4);
  const dir = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  const sinkDir = join(dir, "results");
  const fleet = new Fleet(dir, {
    KAFKA_BROKERS: brokers.join(","),
    SLUICE_PREFIX: prefix,
    SLUICE_PARTITIONS: "4",
    SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    // Any port: one that was free a moment ago may be taken by now.
    SLUICE_API_PORT: "0",
    ...env,
  });
  // One file, one writer.
  for (const index of replicas) fleet.start("api", index, index === 0 ? { SLUICE_SINK_DIR: sinkDir } : {});
  for (const service of services) fleet.start(service);
  const apis: string[] = [];
  for (const index of replicas) apis.push(await readyAddress(fleet, index));
  return {
    observer,
    fleet,
    apis,
    sinkDir,
    close: async () => {
      await fleet.stop();
      await observer.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Where the replica listens, as it says itself; it may have been started more than once by then. */
async function readyAddress(fleet: Fleet, index: number): Promise<string> {
  const untilMs = performance.now() + readyWithinMs;
  for (;;) {
    const address = fleet.log("api", index).findLast(({ event }) => event === "listening")?.["address"];
    const answer = typeof address === "string" ? await fetch(`${address}/readyz`).catch(() => null) : null;
    if (typeof address === "string" && answer?.status === 200) return address;
    if (performance.now() > untilMs) throw new Error(`api-${index} did not become ready`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const post = (url: string, body?: object, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

export interface Got {
  readonly id: string | null;
  readonly type: string;
  readonly event: unknown;
}

/** Reads messages until `enough` says so, then goes away; to the end of the stream where it never does. */
export async function messages(
  url: string,
  lastId: string | null,
  enough: (got: Got) => boolean,
): Promise<readonly Got[]> {
  const gone = new AbortController();
  const response = await fetch(url, {
    signal: gone.signal,
    headers: lastId === null ? {} : { "last-event-id": lastId },
  });
  if (response.status === 204) return [];
  if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
  const all: Got[] = [];
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string): string | null =>
        new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1] ?? null;
      const data = field("data");
      if (data === null) continue;
      const got = { id: field("id"), type: field("event") ?? "", event: JSON.parse(data) as unknown };
      all.push(got);
      if (!enough(got)) continue;
      gone.abort();
      return all;
    }
  }
  return all;
}
