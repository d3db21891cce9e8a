/** Replicas of the API on topics of their own, with the services that a test wants beside them, and a client. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
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

export async function apiFleet({ brokers, prefix, services, env = {} }: ApiFleetOptions): Promise<ApiFleet> {
  const observer = await Observer.open(brokers, prefix, 4);
  const dir = mkdtempSync(join(tmpdir(), "sluice-fleet-"));
  const sinkDir = join(dir, "results");
  const fleet = new Fleet(dir, {
    KAFKA_BROKERS: brokers.join(","),
    SLUICE_PREFIX: prefix,
    SLUICE_PARTITIONS: "4",
    SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8",
    // A replica that is started again takes any port: the one it had may be taken by then.
    SLUICE_API_PORT: "0",
    ...env,
  });
  const apis: string[] = [];
  for (const index of replicas) {
    const port = await freePort();
    // One file, one writer.
    const sink: Record<string, string> = index === 0 ? { SLUICE_SINK_DIR: sinkDir } : {};
    fleet.start("api", index, { SLUICE_API_PORT: String(port), ...sink });
    apis.push(`http://127.0.0.1:${port}`);
  }
  for (const service of services) fleet.start(service);
  for (const api of apis) await ready(api);
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ready(api: string): Promise<void> {
  const until = performance.now() + 60_000;
  for (;;) {
    const answer = await fetch(`${api}/readyz`).catch(() => null);
    if (answer?.status === 200) return;
    if (performance.now() > until) throw new Error(`${api} did not become ready`);
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
