import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  admissionOf,
  canonicalize,
  scanHtml,
  trapOf,
  type AdmissionRules,
  type CanonicalUrl,
} from "../src/index.ts";
import { describeWithData, filesOf, readText } from "./shared-data.ts";

function canonical(url: string): CanonicalUrl {
  const answer = canonicalize(url);
  if (answer.kind === "refused") throw new Error(`${url}: ${answer.detail}`);
  return answer;
}
const reasonOf = (url: string): string | null => trapOf(canonical(url))?.reason ?? null;

describe("a trap", () => {
  test.each([
    ["http://e.com/a/a/a/a/", "trap_path"],
    ["http://e.com/x/img/css/img/css/img/css/img/css/y", "trap_path"],
    ["http://e.com/a/b/c/d/a/b/c/d/a/b/c/d/a/b/c/d", "trap_path"],
    [`http://e.com${"/x1/x2/x3/x4/x5".repeat(9)}`, "trap_depth"],
    ["http://www.www.www.www.e.com/", "trap_host"],
    ["http://a.b.a.b.a.b.a.b.e.com/", "trap_host"],
    [
      `http://${"a1.".repeat(1)}${Array.from({ length: 16 }, (_, i) => `s${i}.`).join("")}e.com/`,
      "trap_host",
    ],
    ["http://e.com/calendar/2187/03", "trap_calendar"],
    ["http://e.com/events?month=2051-02", "trap_calendar"],
    ["http://e.com/agenda.php?month=4&year=2583", "trap_calendar"],
  ])("%.60s: %s", (url, reason) => {
    expect(reasonOf(url)).toBe(reason);
  });

  test.each([
    "http://e.com/a/a/a/",
    "http://e.com/a/b/a/b/a/b/",
    "http://e.com/2026/11/22/calendar",
    "http://e.com/calendar/2050/12",
    "http://e.com/events/9781234567897",
    "http://e.com/product/2187",
    "http://e.com/events/1789",
    "http://e.com/news/2187-disposable-cups-a-day-on-the-calendar",
    "http://www.www.e.com/",
    "http://1.1.1.1/",
    "http://[1:1:1:1:1:1:1:1]/",
    "http://e.com/",
    `http://e.com${Array.from({ length: 40 }, (_, i) => `/s${i}`).join("")}`,
  ])("is not %.60s", (url) => {
    expect(trapOf(canonical(url))).toBeNull();
  });

  test("is found in every endless path that repeats up to four segments, and in time linear in the URL", () => {
    const segment = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.array(segment), (group, before) => {
        const path = [...before.slice(0, 5), ...group, ...group, ...group, ...group].join("/");
        expect(trapOf(canonical(`http://e.com/${path}`))).not.toBeNull();
      }),
    );
    for (const long of ["/a".repeat(1000), "/calendar?1".padEnd(2000, "9"), `/date${"/1".repeat(900)}`])
      expect(trapOf(canonical(`http://e.com${long}`))).toBeDefined();
  });
});

const rules: AdmissionRules = {
  seeds: ["http://e.com/"],
  scope: { kind: "host", allowedDomains: [], include: [], exclude: [] },
  limits: { maxDepth: null },
};

test("an admission refuses what looks like a trap, but never a seed", () => {
  const url = canonical("http://e.com/a/a/a/a/");
  const link = { kind: "link", depth: 3, root: "http://e.com/" } as const;
  expect(admissionOf(rules).decide(url, link)).toEqual({
    admitted: false,
    reason: "trap_path",
    detail: "path that repeats /a",
  });
  expect(admissionOf(rules).decide(url, { kind: "seed", depth: 0, root: url.url })).toEqual({
    admitted: true,
  });
});

test("a job may have traps followed", () => {
  const url = canonical("http://e.com/a/a/a/a/");
  const scope = { ...rules.scope, traps: "follow" as const };
  const link = { kind: "link", depth: 3, root: "http://e.com/" } as const;
  expect(admissionOf({ ...rules, scope }).decide(url, link)).toEqual({ admitted: true });
});

describeWithData("the links of real pages", ["pages"], () => {
  test("are no traps", () => {
    let count = 0;
    const found = new Set<string>();
    for (const file of filesOf("pages")) {
      for (const { url } of scanHtml(readText(file), "http://example.com/").links) {
        const answer = canonicalize(url);
        if (answer.kind === "refused") continue;
        count += 1;
        const trap = trapOf(answer);
        if (trap !== null) found.add(`${trap.reason} ${answer.url}`);
      }
    }
    expect([...found]).toEqual([]);
    expect(count).toBeGreaterThan(20_000);
  });
});
