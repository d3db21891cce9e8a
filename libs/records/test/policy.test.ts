import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  decodeRecord,
  patternsFor,
  policyOf,
  policyPatternSchema,
  policySchema,
  topics,
} from "../src/index.ts";

const policies = (entries: Readonly<Record<string, object>>) =>
  new Map(Object.entries(entries).map(([pattern, fields]) => [pattern, policySchema.parse(fields)]));

describe("what holds for a host", () => {
  it("is nothing where nobody said anything", () => {
    expect(policyOf("www.example.org", undefined)).toEqual({});
    expect(policyOf("www.example.org", policies({ "example.org": { delayMs: 5 } }))).toEqual({});
  });

  it.each([
    ["www.example.org", "www.example.org", true],
    ["www.example.org", "a.www.example.org", false],
    ["*.example.org", "www.example.org", true],
    ["*.example.org", "a.b.example.org", true],
    ["*.example.org", "example.org", false],
    [".example.org", "example.org", true],
    [".example.org", "a.b.example.org", true],
    [".example.org", "badexample.org", false],
    ["*.example.org", "badexample.org", false],
    ["*", "anything.test", true],
    ["*", "[::1]", true],
    ["127.0.0.1", "127.0.0.1", true],
    [".0.0.1", "127.0.0.1", false],
  ])("a policy for %s is for %s: %s", (pattern, host, isFor) => {
    expect(policyOf(host, policies({ [pattern]: { delayMs: 7 } })).delayMs === 7).toBe(isFor);
  });

  it("comes field by field from the most specific pattern that has the field", () => {
    const all = policies({
      "*": { delayMs: 1, userAgent: "all/1", requestsPerMinuteMax: 1200 },
      ".example.org": { delayMs: 2, concurrency: 2, headers: { a: "wide", b: "wide" } },
      "*.example.org": { delayMs: 3, timeouts: { totalMs: 3, connectMs: 3 } },
      "www.example.org": { headers: { b: "narrow" }, timeouts: { totalMs: 4 }, requestsPerMinuteMax: null },
    });
    expect(policyOf("www.example.org", all)).toMatchObject({
      delayMs: 3,
      concurrency: 2,
      userAgent: "all/1",
      requestsPerMinuteMax: null,
      headers: { a: "wide", b: "narrow" },
      timeouts: { totalMs: 4, connectMs: 3 },
    });
    expect(policyOf("example.org", all)).toMatchObject({ delayMs: 2, requestsPerMinuteMax: 1200 });
  });

  it("has budgets one by one, but for those of paths, which are one; and none where null is said", () => {
    const wide = [{ prefix: "/a/", pagesMax: 1 }];
    const narrow = [{ prefix: "/b/", pagesMax: 2 }];
    const all = policies({
      "*": { budgets: { perHost: { pagesMax: 9 }, perPath: wide } },
      ".example.org": { budgets: { perDomain: { pagesMax: 20, hostsMax: 3 } } },
      "example.org": { budgets: { perDomain: { hostsMax: null }, perPath: narrow } },
      "www.example.org": { delayMs: 1, budgets: { perHost: { pagesMax: null } } },
    });
    expect(policyOf("example.org", all).budgets).toEqual({
      perHost: { pagesMax: 9 },
      perDomain: { pagesMax: 20, hostsMax: null },
      perPath: narrow,
    });
    expect(policyOf("www.example.org", all).budgets).toEqual({
      perHost: { pagesMax: null },
      perDomain: { pagesMax: 20, hostsMax: 3 },
      perPath: wide,
    });
  });

  it("keeps a block of a whole domain when one of its hosts gets a setting of its own, and lifts it for null", () => {
    const reason = { reason: "asked to be left out" };
    const all = policies({
      ".example.org": { blocked: reason },
      "www.example.org": { delayMs: 9 },
      "api.example.org": { blocked: null },
    });
    expect(policyOf("www.example.org", all).blocked).toEqual(reason);
    expect(policyOf("api.example.org", all).blocked).toBeNull();
  });

  test("the patterns of any host are patterns, each once, and end with the one for all", () => {
    const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,5}[a-z0-9])?$/);
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 5 }), (labels) => {
        const found = patternsFor(labels.join("."));
        expect(new Set(found).size).toBe(found.length);
        expect(found.at(-1)).toBe("*");
        for (const pattern of found)
          expect(policyPatternSchema.safeParse(pattern).success, pattern).toBe(true);
      }),
    );
  });
});

describe("a policy", () => {
  const problemOf = (policy: object): string => {
    const decoded = decodeRecord(topics.policies.name, Buffer.from(JSON.stringify(policy)));
    return decoded.kind === "poison" ? decoded.reason : "";
  };

  it.each([
    [{ headers: { Authorization: "Bearer abc" } }, "headers.Authorization"],
    [{ headers: { cookie: "a=b" } }, "headers.cookie"],
    [{ headers: { "x-a": "line\nbreak" } }, "headers.x-a"],
    [{ headers: { host: "other.test" } }, "headers.host"],
    [{ proxy: { url: "http://user:secret@proxy.test:3128" } }, "proxy.url"],
    [{ proxy: { url: "socks5://proxy.test" } }, "proxy.url"],
    [
      { proxy: { url: "http://proxy.test", credentials: { env: "KAFKA_SASL_PASSWORD" } } },
      "proxy.credentials.env",
    ],
    [{ headers: { "x-a": { file: "../../etc/passwd" } } }, "headers.x-a.file"],
    [{ localAddress: "eth0" }, "localAddress"],
    [{ delayMs: -1 }, "delayMs"],
    [{ safetyShare: 1.1 }, "safetyShare"],
    [{ userAgent: "a\r\nb" }, "userAgent"],
    [{ budgets: { perHost: { pagesMax: 0 } } }, "budgets.perHost.pagesMax"],
    [{ budgets: { perDomain: { hostsMax: 1.5 } } }, "budgets.perDomain.hostsMax"],
    [{ budgets: { perDomain: { pages: 3 } } }, "budgets.perDomain"],
    [{ budgets: { perPath: [{ prefix: "a", pagesMax: 1 }] } }, "budgets.perPath.0.prefix"],
    [{ budgets: { perPath: [{ prefix: "/a" }] } }, "budgets.perPath.0.pagesMax"],
    [{ budgets: { maxPages: 3 } }, "budgets"],
  ])("as %j is refused, and %s is named", (policy, field) => {
    expect(problemOf(policy).startsWith(`${field}:`) || problemOf(policy)).toBe(true);
  });

  it("names secrets by variables of their own and by files without a folder", () => {
    const policy = {
      headers: { authorization: { env: "SLUICE_SECRET_SITE" }, accept: "text/html" },
      proxy: { url: "http://proxy.test:3128", credentials: { file: "proxy-login" } },
    };
    expect(problemOf(policy)).toBe("");
  });
});

test.each(["Example.org", "exa mple.org", "*example.org", "a.*.org", "*.*", ".", "", "http://a.test", "a/b"])(
  "%j is no pattern",
  (pattern) => expect(policyPatternSchema.safeParse(pattern).success).toBe(false),
);
