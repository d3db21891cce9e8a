import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

test("a service that still waits for its Kafka ends at SIGTERM, as one that works does", async () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-signals-"));
  const child = spawn(process.execPath, ["services/result-sink/src/main.ts"], {
    // Nobody listens at port 1.
    env: { ...process.env, KAFKA_BROKERS: "127.0.0.1:1", SLUICE_SINK_DIR: dir, SLUICE_ADMIN_PORT: "0" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const events: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    if (!line.startsWith("{")) continue;
    const { event } = JSON.parse(line) as { event: string };
    events.push(event);
    // It has tried its Kafka and goes on trying.
    if (event === "kafka_client_error" && !child.killed) child.kill("SIGTERM");
    if (event === "stopped") break;
  }
  expect(await exited).toEqual([0, null]);
  expect(events).toContain("draining");
  rmSync(dir, { recursive: true });
}, 60_000);
