import { describe, expect, it } from "vitest";
import { ApiClient } from "../../page/api-client.ts";

interface Sent {
  readonly url: string;
  readonly init: RequestInit;
}

function client(answer: () => Response | Promise<Response>) {
  const stored = new Map<string, string>();
  const sent: Sent[] = [];
  let unauthorizedCount = 0;
  const made = new ApiClient({
    baseUrl: "http://127.0.0.1:1/under/",
    fetch: async (url, init) => {
      sent.push({ url, init });
      return answer();
    },
    tokens: {
      getItem: (name) => stored.get(name) ?? null,
      setItem: (name, value) => void stored.set(name, value),
      removeItem: (name) => void stored.delete(name),
    },
    onUnauthorized: () => {
      unauthorizedCount += 1;
    },
  });
  const header = (name: string): string | null => new Headers(sent.at(-1)?.init.headers).get(name);
  return { made, sent, header, unauthorized: () => unauthorizedCount };
}

describe("the page's client of the API", () => {
  it("sends the token where there is one, to the API below the page's own address", async () => {
    const { made, sent, header } = client(() => new Response('{"jobs":[]}'));
    expect(await made.get("v1/jobs")).toEqual({ kind: "ok", body: { jobs: [] } });
    expect([sent[0]?.url, header("authorization")]).toEqual(["http://127.0.0.1:1/under/v1/jobs", null]);
    made.setToken("secret");
    await made.post("v1/jobs", { seeds: [] }, "key-1");
    expect(["authorization", "content-type", "idempotency-key"].map(header)).toEqual([
      "Bearer secret",
      "application/json",
      "key-1",
    ]);
    await made.openStream("v1/jobs/a/events", "0:7", new AbortController().signal);
    expect(["authorization", "last-event-id", "accept"].map(header)).toEqual([
      "Bearer secret",
      "0:7",
      "text/event-stream",
    ]);
    made.setToken(null);
    await made.openStream("v1/jobs/a/events", "", new AbortController().signal);
    expect(["authorization", "last-event-id"].map(header)).toEqual([null, null]);
  });

  it("makes values of problems, whoever answers, and says when a token is wanted", async () => {
    const errors = [{ field: "id", message: "is taken" }];
    const { made, unauthorized } = client(
      () =>
        new Response(JSON.stringify({ detail: "no", errors: [...errors, 7, { field: 1 }] }), { status: 401 }),
    );
    expect(await made.post("v1/jobs", {})).toEqual({ kind: "problem", status: 401, detail: "no", errors });
    expect(unauthorized()).toBe(1);
    const proxy = client(() => new Response("<html>", { status: 502 }));
    expect(await proxy.made.get("v1/jobs")).toMatchObject({
      status: 502,
      detail: "The server answered 502.",
    });
    const nobody = client(() => Promise.reject(new TypeError("refused")));
    expect(await nobody.made.get("v1/jobs")).toMatchObject({
      status: 0,
      detail: expect.stringContaining("refused"),
    });
    const garbled = client(() => new Response("{"));
    expect(await garbled.made.get("v1/jobs")).toMatchObject({ kind: "problem", status: 0 });
  });
});
