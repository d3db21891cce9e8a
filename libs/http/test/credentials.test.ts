import { expect, test } from "vitest";
import type { Credential } from "../src/index.ts";
import { clientFor, fetchOf, rawServer, responded, response } from "./loopback.ts";

const canary = "canary-5f2c";
const fields = ["authorization", "cookie", "x-api-key"];
const boundTo = (origin: string): Credential[] =>
  fields.map((field) => ({ origin, field, value: `${field} ${canary}` }));

test("a credential is sent to its own origin", async () => {
  await using site = await rawServer((socket) => socket.write(response("ok")));
  await using client = clientFor();
  responded(await fetchOf(client, `${site.origin}/deep/page?x`, { credentials: boundTo(site.origin) }));
  for (const field of fields) expect(site.requests[0]).toContain(`\r\n${field}: ${field} ${canary}`);
});

test("a credential crosses neither host, port nor scheme, whatever the URL looks like", async () => {
  await using site = await rawServer((socket) => socket.write(response("ok")));
  const { port } = site;
  await using client = clientFor({
    resolve: new Map([[`site.test:${port}`, "127.0.0.1"]]),
  });
  const origins = [
    `http://site.test:${port + 1}`,
    `https://127.0.0.1:${port}`,
    `http://127.0.0.2:${port}`,
    `http://sub.site.test:${port}`,
    "http://127.0.0.1",
    `http://127.0.0.1:${port}/`,
    "",
    "null",
  ];
  for (const url of [
    `http://127.0.0.1:${port}/`,
    `http://user:pass@site.test:${port}/@${origins[0] ?? ""}`,
  ]) {
    const credentials = origins.flatMap(boundTo);
    responded(await fetchOf(client, url, { credentials }));
  }
  expect(site.requests.length).toBe(2);
  for (const head of site.requests) {
    expect(head).not.toContain(canary);
    expect(head.toLowerCase()).not.toContain("authorization");
  }
});

test("plain headers carry no credential and frame no message, whoever asks for it", async () => {
  await using site = await rawServer((socket) => socket.write(response("ok")));
  await using client = clientFor();
  const refused = [
    "Authorization",
    "COOKIE",
    "Proxy-Authorization",
    "proxy-anything",
    "Host",
    "Connection",
    "Content-Length",
    "Transfer-Encoding",
    "Accept-Encoding",
    "Range",
  ];
  const headers = Object.fromEntries(refused.map((name) => [name, canary]));
  responded(await fetchOf(client, site.origin, { headers: { ...headers, "X-Team": "search" } }));
  expect(site.requests[0]).not.toContain(canary);
  expect(site.requests[0]).toContain("\r\nx-team: search");
});
