import { afterEach, describe, expect, test } from "vitest";
import { startAdminServer, type AdminServer } from "../src/index.ts";

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function ask(
  path: string,
  { alive = true, joined = true, metrics = async () => "metric 1\n" } = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const server = await startAdminServer({
    host: "127.0.0.1",
    port: 0,
    alive: () => alive,
    checks: () => ({ broker: { ok: true, detail: "0.2 s ago" }, joined: { ok: joined, detail: "12 tasks" } }),
    metrics,
  });
  servers.push(server);
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return { status: response.status, text: await response.text() };
}

describe("the admin server", () => {
  test("says whether the process moves, whatever it is ready for", async () => {
    expect(await ask("/livez", { joined: false })).toEqual({ status: 200, text: "ok\n" });
    const stuck = await ask("/livez", { alive: false });
    expect(stuck.status).toBe(503);
    expect(stuck.text).toContain("does not turn");
  });

  test("is ready when every check holds, and lists them one a line", async () => {
    expect(await ask("/readyz")).toEqual({ status: 200, text: "ok\n" });
    expect(await ask("/readyz", { joined: false })).toEqual({ status: 503, text: "not ready\n" });
    const verbose = await ask("/readyz?verbose", { joined: false });
    expect(verbose).toEqual({ status: 503, text: "[+] broker: 0.2 s ago\n[-] joined: 12 tasks\n" });
  });

  test("answers 500 where metrics fail, and 404 for what it does not have", async () => {
    expect((await ask("/metrics")).text).toBe("metric 1\n");
    expect((await ask("/metrics", { metrics: () => Promise.reject(new Error("no")) })).status).toBe(500);
    expect((await ask("/secrets")).status).toBe(404);
  });
});
