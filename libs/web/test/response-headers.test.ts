import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { httpDateMs, isHtml, parseContentType, retryAfterMs, robotsTag, unionOfFlags } from "../src/index.ts";

const nowMs = Date.UTC(2026, 10, 22, 12);

describe("Retry-After", () => {
  test.each([
    ["120", 120_000],
    [" 0 ", 0],
    ["1.5", 1500],
    ["Sun, 22 Nov 2026 12:00:30 GMT", 30_000],
    ["Sunday, 22-Nov-26 12:00:30 GMT", 30_000],
    ["Sun Nov 22 12:00:30 2026", 30_000],
    ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
    ["99999999999999999999", Number.MAX_SAFE_INTEGER],
    ["10, 3600, 20", 3_600_000],
    ["soon, 30", 30_000],
    ["60, Sun, 22 Nov 2026 12:00:30 GMT", 60_000],
    ["Sun, 22 Nov 2026 12:00:30 GMT, Sunday, 22-Nov-26 12:00:40 GMT, 5", 40_000],
    ["-5", null],
    ["soon", null],
    [",,", null],
    ["", null],
    ["Sun, 22 Nov 2026 12:00:30 CET", null],
    ["Sun, 31 Nov 2026 12:00:30 GMT", null],
    ["Sun, 29 Feb 2026 12:00:30 GMT", null],
    ["Sun, 22 Nov 2026 24:00:30 GMT", null],
  ])("%j asks for %j ms", (header, delayMs) => {
    expect(retryAfterMs(header, nowMs)).toBe(delayMs);
  });

  test("missing asks for nothing", () => {
    expect([retryAfterMs(null, nowMs), retryAfterMs(undefined, nowMs)]).toEqual([null, null]);
  });
});

describe("an HTTP date", () => {
  test("is read as the platform writes it, for any time", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(-1e13), max: new Date(1e14), noInvalidDate: true }), (date) => {
        const seconds = Math.floor(date.getTime() / 1000) * 1000;
        expect(httpDateMs(new Date(seconds).toUTCString(), nowMs)).toBe(seconds);
      }),
    );
  });

  test("with two digits for the year lies at most 50 years ahead", () => {
    expect(httpDateMs("Sunday, 06-Nov-76 08:49:37 GMT", nowMs)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37));
    expect(httpDateMs("Sunday, 06-Nov-77 08:49:37 GMT", nowMs)).toBe(Date.UTC(1977, 10, 6, 8, 49, 37));
  });
});

describe("X-Robots-Tag", () => {
  const flags = (...set: string[]) => ({
    noindex: set.includes("noindex"),
    nofollow: set.includes("nofollow"),
    noarchive: set.includes("noarchive"),
  });

  test.each([
    ["noindex, NoFollow", flags("noindex", "nofollow")],
    ["none", flags("noindex", "nofollow")],
    ["all", flags()],
    ["googlebot: noindex", flags()],
    ["googlebot: noindex, nofollow", flags()],
    ["Sluice: noindex, nofollow", flags("noindex", "nofollow")],
    ["sluice-images: noindex", flags()],
    ["*: noarchive", flags("noarchive")],
    ["noarchive, googlebot: noindex, sluice: nofollow", flags("noarchive", "nofollow")],
    ["unavailable_after: 25 Jun 2010 15:00:00 PST, noindex", flags("noindex")],
    ["unavailable_after: Saturday, 25-Jun-10 15:00:00 GMT, noindex", flags("noindex")],
    ["max-snippet: 5, noindex", flags("noindex")],
    ["", flags()],
  ])("%j", (header, expected) => {
    expect(robotsTag(header, "Sluice")).toEqual(expected);
  });

  test("of several lines adds up, and a name counts for its own line only", () => {
    expect(robotsTag(["googlebot: noindex", "nofollow"], "Sluice")).toEqual(flags("nofollow"));
    expect(robotsTag("googlebot: noindex\nnofollow", "Sluice")).toEqual(flags("nofollow"));
    expect(robotsTag(["sluice: noindex", "nofollow"], "Sluice")).toEqual(flags("noindex", "nofollow"));
    expect([robotsTag(null, "Sluice"), robotsTag([], "Sluice")]).toEqual([flags(), flags()]);
    expect(unionOfFlags(flags("noindex"), flags("noarchive"))).toEqual(flags("noindex", "noarchive"));
  });
});

describe("Content-Type", () => {
  test("is read by the rules that browsers use", () => {
    expect(parseContentType('Text/HTML; Charset="UTF-8"; charset=latin1')).toEqual({
      essence: "text/html",
      charset: "UTF-8",
      isHtml: true,
      isXml: false,
    });
    expect(parseContentType("application/rss+xml")).toMatchObject({
      isHtml: false,
      isXml: true,
      charset: null,
    });
    expect([parseContentType("html"), parseContentType(""), parseContentType(null)]).toEqual([
      null,
      null,
      null,
    ]);
  });

  test.each([
    ["text/html, text/html; charset=utf-8", "text/html", "utf-8"],
    ["text/html; charset=utf-8, text/html", "text/html", "utf-8"],
    ["text/html; charset=utf-8, text/plain", "text/plain", null],
    ['text/html; charset="a,b", */*, html', "text/html", "a,b"],
    ['text/html; charset="a\\", text/plain', "text/html", 'a", text/plain'],
  ])("sent more than once as %j is %j with the charset %j", (header, essence, charset) => {
    expect(parseContentType(header)).toMatchObject({ essence, charset });
  });

  test.each([
    ["text/html", true],
    ["application/xhtml+xml; charset=utf-8", true],
    ["text/plain", false],
    ["application/pdf", false],
    [null, false],
  ])("%j is a page: %j", (header, expected) => {
    expect(isHtml(header)).toBe(expected);
  });
});
