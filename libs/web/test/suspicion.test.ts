import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import {
  canonicalize,
  isDay,
  scanHtml,
  suspicionOf,
  withoutSessionId,
  type CanonicalUrl,
} from "../src/index.ts";
import { describeWithData, filesOf, readText } from "./shared-data.ts";

function canonical(url: string): CanonicalUrl {
  const answer = canonicalize(url);
  if (answer.kind === "refused") throw new Error(`${url}: ${answer.detail}`);
  return answer;
}

describe("a URL may be one of endlessly many", () => {
  test.each([
    ["http://e.com/calendar/2026/11/", "calendar"],
    ["http://e.com/events/2026-11-22", "calendar"],
    ["http://e.com/events/month/2019-03/list", "calendar"],
    ["http://e.com/events?date=2026-11", "calendar"],
    ["http://e.com/index.php?year=2031&month=2", "calendar"],
    ["http://e.com/1/2/3/4/5/6/7/8/9/10/11/12/13", "depth"],
    [`http://e.com/?from=${"a".repeat(500)}`, "length"],
    ["http://e.com/login?from=%2Flogin%3Ffrom%3D%252Fa", "length"],
    ["http://e.com/shop/shop/shop/", "path"],
    ["http://e.com/shop/about/about/x/shop/", "path"],
    ["http://e.com/list?tag=a&tag=b&tag=c&tag=d&tag=e", "path"],
  ])("%.60s: %s", (url, suspicion) => {
    expect(suspicionOf(canonical(url).url)).toBe(suspicion);
  });

  test.each([
    "http://e.com/",
    "http://e.com/wiki?id=99999",
    "http://e.com/2026/11/22/",
    "http://e.com/events/2026/11/22/a-talk",
    "http://e.com/movies?year=1998",
    "http://e.com/strip/1998-04-12",
    "http://e.com/docs/docs/page",
    "http://e.com/tiles/12/12/12/12.png",
    "http://e.com/list?tag=a&tag=b",
    "http://e.com/login?from=%2Fa%3Fb%3Dc",
    "http://e.com/search?q=100%25",
  ])("but not %s", (url) => {
    expect(suspicionOf(canonical(url).url)).toBeNull();
  });
});

describe("a page of a calendar stands for a day", () => {
  const two = (number: number): string => String(number).padStart(2, "0");
  const dates = fc.record({
    year: fc.integer({ min: 1900, max: 2199 }).map(String),
    month: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 31 }),
  });

  test("in every way in which its date is written, and not where the date is that of a month or year", () => {
    fc.assert(
      fc.property(dates, ({ year, month, day }) => {
        const months = [
          `calendar/${year}/${two(month)}/`,
          `calendar/${year}/${month}`,
          `events/${year}-${two(month)}`,
          `events/${year}${two(month)}/list`,
          `agenda?date=${year}-${two(month)}`,
          `index.php?year=${year}&month=${month}`,
          `events/month/${year}-${two(month)}/`,
        ];
        const days = [
          `calendar/${year}/${two(month)}/${two(day)}/`,
          `calendar/${year}/${month}/${day}`,
          `events/${year}-${two(month)}-${two(day)}`,
          `events/${year}${two(month)}${two(day)}/list`,
          `events/${year}-${two(month)}/${two(day)}/`,
          `agenda?date=${year}-${two(month)}-${two(day)}`,
          `index.php?year=${year}&month=${month}&day=${day}`,
        ];
        for (const path of [...months, ...days])
          expect([path, suspicionOf(canonical(`http://e.com/${path}`).url)]).toEqual([path, "calendar"]);
        for (const path of [...months, `events/${year}`])
          expect([path, isDay(canonical(`http://e.com/${path}`).url)]).toEqual([path, false]);
        for (const path of days)
          expect([path, isDay(canonical(`http://e.com/${path}`).url)]).toEqual([path, true]);
      }),
    );
  });
});

describe("a page is known without its session ids", () => {
  test.each([
    ["http://e.com/a?PHPSESSID=1f&p=2", "http://e.com/a?p=2"],
    ["http://e.com/a;jsessionid=1F?p=2", "http://e.com/a?p=2"],
    ["http://e.com/(S(abcdefghijklmnopqrstuvwx))/a.aspx", "http://e.com/a.aspx"],
    ["http://e.com/a?sid=0123456789abcdef0123456789abcdef", "http://e.com/a"],
  ])("%s", (url, plain) => {
    expect(withoutSessionId(canonical(url))?.url).toBe(plain);
  });

  test.each(["http://e.com/a?sid=17", "http://e.com/a?s=shoes", "http://e.com/a", "http://e.com/a;b=c"])(
    "%s has none",
    (url) => {
      expect(withoutSessionId(canonical(url))).toBeNull();
    },
  );
});

describeWithData("the links of real pages", ["pages"], () => {
  test("look so only where they are long or deep: those of advertisers, log-ins and buttons to share", () => {
    let count = 0;
    const found = { calendar: 0, path: 0, depth: 0, length: 0 };
    for (const file of filesOf("pages")) {
      for (const { url } of scanHtml(readText(file), "http://example.com/").links) {
        const answer = canonicalize(url);
        if (answer.kind === "refused") continue;
        count += 1;
        const suspicion = suspicionOf(answer.url);
        if (suspicion !== null) found[suspicion] += 1;
      }
    }
    expect(found).toMatchObject({ calendar: 0, path: 0 });
    expect((found.depth + found.length) / count).toBeLessThan(0.01);
  });
});
