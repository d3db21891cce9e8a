import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRobots, robotsBytesMax, robotsForStatus } from "../src/index.ts";
import { describeWithData, readJson } from "./shared-data.ts";

function decide(lines: string[], path: string, agent = "Sluice") {
  return parseRobots(lines.join("\n")).decide(agent, path);
}

describe("a robots.txt decision", () => {
  test("names the deciding line and rule", () => {
    const robots = parseRobots(
      "# hello\r\nUser-agent: *\r\nDisallow: /private # secret\r\nAllow: /private/ü\r\n",
    );
    expect(robots.decide("Sluice", "/private/x")).toEqual({
      allowed: false,
      line: 3,
      rule: "disallow: /private",
    });
    expect(robots.decide("Sluice", "/private/%c3%bc")).toEqual({
      allowed: true,
      line: 4,
      rule: "allow: /private/ü",
    });
    expect(robots.decide("Sluice", "/public")).toEqual({ allowed: true, line: null, rule: null });
  });

  test.each([
    ["the longest match decides", ["User-agent: *", "Disallow: /a/b", "Allow: /a"], "/a/b/c", false],
    ["allow wins a tie", ["User-agent: *", "Disallow: /a", "Allow: /a"], "/a", true],
    ["an empty disallow allows all", ["User-agent: *", "Disallow:"], "/a", true],
    ["rules before any group are nobody's", ["Disallow: /", "User-agent: x", "Disallow: /"], "/a", true],
    [
      "our own group is used instead of the one for all",
      ["User-agent: *", "Disallow: /", "User-agent: SLUICE/2.0", "Disallow: /x"],
      "/a",
      true,
    ],
    [
      "groups of one name are one",
      [
        "User-agent: sluice",
        "Disallow: /a",
        "User-agent: x",
        "Disallow: /",
        "User-agent: Sluice",
        "Disallow: /b",
      ],
      "/b",
      false,
    ],
    [
      "lines that are no rules do not end the run of names",
      [
        "User-agent: sluice",
        "Sitemap: https://e.com/s",
        "Crawl-delay: 3",
        "",
        "User-agent: x",
        "Disallow: /a",
      ],
      "/a",
      false,
    ],
    ["a longer name is another crawler", ["User-agent: sluice-images", "Disallow: /"], "/a", true],
    ["robots.txt itself is always allowed", ["User-agent: *", "Disallow: /"], "/robots.txt", true],
    ["the query belongs to the path", ["User-agent: *", "Disallow: /*?"], "/a?b", false],
    ["a star takes anything", ["User-agent: *", "Disallow: /a*c$"], "/a/b/c", false],
    ["a dollar ends the path", ["User-agent: *", "Disallow: /a*c$"], "/a/b/cd", true],
    [
      "the end may not overlap what a star's left side took",
      ["User-agent: *", "Disallow: /ab*b$"],
      "/ab",
      true,
    ],
    ["a dollar inside is a character", ["User-agent: *", "Disallow: /a$b"], "/a$bc", false],
    ["an escaped star is a character", ["User-agent: *", "Disallow: /%2A"], "/x", true],
    ["an escaped star matches a star", ["User-agent: *", "Disallow: /%2a"], "/*", false],
    ["an escaped slash is no slash", ["User-agent: *", "Disallow: /a%2fb"], "/a/b", true],
    [
      "escapes of unreserved characters are the characters",
      ["User-agent: *", "Disallow: /%62az"],
      "/b%61z",
      false,
    ],
    ["raw and escaped UTF-8 are the same", ["User-agent: *", "Disallow: /ツ"], "/%e3%83%84", false],
    ["case of the path matters", ["User-agent: *", "Disallow: /A"], "/a", true],
    ["slips of the pen are meant", ["useragent: *", "disalow : /a"], "/a", false],
  ])("follows the rule that %s", (_rule, lines, path, allowed) => {
    expect(decide(lines, path).allowed).toBe(allowed);
  });

  test("compares octets that are no UTF-8 as they are", () => {
    const body = Uint8Array.from([...Buffer.from("User-agent: *\nDisallow: /caf"), 0xe9, 0x0a]);
    expect(parseRobots(body).decide("Sluice", "/caf%E9").allowed).toBe(false);
    expect(parseRobots(body).decide("Sluice", "/café").allowed).toBe(true);
  });

  test("is the same for text and bytes, with and without a byte order mark", () => {
    const text = "User-agent: *\nDisallow: /ü\n";
    for (const body of [text, `\ufeff${text}`, Buffer.from(text), Buffer.from(`\ufeff${text}`)]) {
      expect(parseRobots(body).decide("Sluice", "/ü")).toEqual({
        allowed: false,
        line: 2,
        rule: "disallow: /ü",
      });
    }
  });

  test("agrees with a matcher that tries everything, for any pattern and path", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "$"), maxLength: 10 });
    const slow = (pattern: string, path: string): boolean => {
      if (pattern === "") return true;
      if (pattern === "$") return path === "";
      if (pattern[0] !== "*") return path[0] === pattern[0] && slow(pattern.slice(1), path.slice(1));
      return slow(pattern.slice(1), path) || (path !== "" && slow(pattern, path.slice(1)));
    };
    fc.assert(
      fc.property(text, text, (pattern, path) => {
        const allowed = decide(["User-agent: *", `Disallow: /${pattern}`], `/${path}`).allowed;
        expect(allowed).toBe(!slow(`/${pattern}`, `/${path}`));
      }),
      { numRuns: 5000 },
    );
  });
});

test.each<[string, Uint8Array | string]>([
  ["NUL behind a name", "User-agent: *\0\nDisallow: /x"],
  ["NUL behind a path", "User-agent: *\nDisallow: /x\0"],
  ["UTF-16 with a mark", Buffer.from("\ufeffUser-agent: *\r\nDisallow: /x\r\n", "utf16le")],
  ["UTF-16 of the other order", Buffer.from("\ufeffUser-agent: *\nDisallow: /x", "utf16le").swap16()],
  ["a lone carriage return", "User-agent: *\rDisallow: /x"],
])("%s does not hide a rule", (_, body) => {
  expect(parseRobots(body).decide("sluice", "/x")).toMatchObject({ allowed: false, line: 2 });
});

test("crawl-delay is of the names before it, the largest where there are several", () => {
  const robots = parseRobots(
    "User-agent: a\nCrawl-delay: 5\nCrawl-delay: 2.5\nUser-agent: b\nDisallow: /x\nUser-agent: c\nCrawl-delay: soon\nCrawl-delay: .5\nUser-agent: *\nCrawl-delay: .25",
  );
  expect(["a", "b", "c", "other"].map((agent) => robots.crawlDelayMs(agent))).toEqual([5000, null, 500, 250]);
  expect(robots.decide("a", "/x").allowed).toBe(false);
});

test("sitemaps are collected from anywhere in the file, each once", () => {
  const robots = parseRobots(
    "Sitemap: https://e.com/1\nUser-agent: x\nSITEMAP : https://e.com/ü\nSitemap: https://e.com/1",
  );
  expect(robots.sitemaps).toEqual(["https://e.com/1", "https://e.com/ü"]);
});

test("reads 500 KiB and drops the line that the limit cuts", () => {
  const start = "User-agent: *\nDisallow: /early\n";
  const fill = `${"#".repeat(robotsBytesMax - start.length - "Disallow: /cu".length - 1)}\n`;
  for (const body of [`${start}${fill}Disallow: /cut\nDisallow: /late\n`]) {
    for (const robots of [parseRobots(body), parseRobots(Buffer.from(body))]) {
      expect(robots.decide("Sluice", "/early").allowed).toBe(false);
      expect(robots.decide("Sluice", "/cu").allowed).toBe(true);
      expect(robots.decide("Sluice", "/late").allowed).toBe(true);
    }
  }
});

test("no file takes time that grows faster than it does", () => {
  const kib = 1024;
  const path = `/${"a".repeat(2 * kib)}`;
  const files = [
    `User-agent: *\nDisallow: /${"*a".repeat(50)}b`,
    `${"User-agent: a\n".repeat(18 * kib)}${"Disallow: /b\n".repeat(18 * kib)}`,
    "\n".repeat(500 * kib),
    `User-agent: *\n${"Allow:/*b\n".repeat(38 * kib)}`,
  ];
  for (const file of files) expect(parseRobots(file).decide("a", path).allowed).toBe(true);
});

describe("rules with stars that would take long together", () => {
  const path = `/${"a".repeat(2_000)}`;
  const many = (rule: string, count: number) => `User-agent: *\n${`${rule}\n`.repeat(count)}`;
  const decided = (body: string) => parseRobots(body).decide("a", path);

  test("are all looked at where they are as many as a site has", () => {
    expect(decided(many(`Disallow: /*${"a".repeat(20)}b`, 500)).allowed).toBe(true);
    expect(decided(`${many(`Disallow: /*${"a".repeat(20)}b`, 500)}Disallow: /*aa\n`)).toMatchObject({
      line: 502,
    });
  });

  test("are past a limit taken by what stands before the star, in favour of the site", () => {
    expect(decided(many(`Disallow: /*${"a".repeat(20)}b`, 5_000))).toMatchObject({ allowed: false });
    expect(decided(`${many(`Allow: /*${"a".repeat(20)}b`, 5_000)}Allow: /*a\nDisallow: /`)).toMatchObject({
      allowed: false,
      rule: "disallow: /",
    });
  });

  test("cost nothing where the path does not begin as they do, and never the place of a rule without a star", () => {
    expect(decided(many("Disallow: /other/*b", 20_000)).allowed).toBe(true);
    expect(decided(`${many(`Allow: /*${"a".repeat(20)}b`, 5_000)}Allow: /aaa\nDisallow: /a`)).toMatchObject({
      allowed: true,
      rule: "allow: /aaa",
    });
  });
});

test("never throws and always answers, whatever the octets", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (body, path) => {
      expect(typeof parseRobots(body).decide("Sluice", path).allowed).toBe("boolean");
    }),
  );
});

test.each([
  [200, "parse"],
  [204, "parse"],
  [301, "allow_all"],
  [401, "allow_all"],
  [403, "allow_all"],
  [404, "allow_all"],
  [410, "allow_all"],
  [429, "disallow_all"],
  [500, "disallow_all"],
  [503, "disallow_all"],
  [599, "disallow_all"],
])("status %d means %s", (status, rule) => {
  expect(robotsForStatus(status)).toBe(rule);
});

interface Row {
  readonly id: number;
  readonly robots: string;
  readonly agent: string;
  readonly url: string;
  readonly allowed: boolean;
}

/** Rows where we answer otherwise, by the reason why. */
const misses: readonly { readonly why: string; readonly ids: readonly number[] }[] = [
  { why: "lines without a colon are no directives; only Google reads them (google_only)", ids: [152] },
  {
    why: "an index.html in allow does not allow its directory; only Google does that (google_only)",
    ids: [182],
  },
  {
    why: "raw non-ASCII and needless escapes equal their other spelling on both sides (RFC 9309 §2.2.2); there a path must come escaped",
    ids: [255, 257, 258],
  },
  { why: "our own token is cut to its product part like the file's, so 'Foo Bar' asks for Foo", ids: [278] },
  {
    why: "our own token is cut at a character that tokens do not have, so 'AB42bot' finds its group; there it never can",
    ids: [345, 346],
  },
  { why: "/robots.txt is always allowed (RFC 9309 §2.2.2)", ids: [338, 344, 348, 489] },
];

describeWithData("robots decisions on Google's specification tests", ["robots-spec-test.json"], () => {
  test("agree on 388 of 400 rows, and miss the rest for the reasons listed", () => {
    const rows = readJson<Row[]>("robots-spec-test.json");
    const missed = rows.filter(({ robots, agent, url, allowed }) => {
      const path = url.replace(/^[a-z]+:\/\/[^/?#]*/i, "");
      return parseRobots(bytesOf(robots)).decide(agent, path).allowed !== allowed;
    });
    expect(missed.map(({ id }) => id)).toEqual(misses.flatMap(({ ids }) => ids).sort((a, b) => a - b));
    expect(rows).toHaveLength(400);
  });
});

/** The rows hold octets that are no UTF-8 as the surrogates U+DC80 to U+DCFF. */
function bytesOf(text: string): Uint8Array {
  const octets: number[] = [];
  for (const char of text) {
    const point = char.codePointAt(0) ?? 0;
    if (point >= 0xdc80 && point <= 0xdcff) octets.push(point - 0xdc00);
    else octets.push(...Buffer.from(char));
  }
  return Uint8Array.from(octets);
}

describe("an excerpt of robots.txt", () => {
  const path = fc.constantFrom("/", "/a", "/a/b", "/b?c", "/ü", "/a*b", "/long/er");
  const agent = fc.constantFrom("*", "sluice", "Sluice/1.0", "other", "sluice-images");
  const line = fc.oneof(
    agent.map((name) => `User-agent: ${name}`),
    fc
      .tuple(fc.constantFrom("Allow", "Disallow", "Dissallow"), path)
      .map(([key, value]) => `${key}: ${value}`),
    fc.constantFrom("", "# nothing", "Disallow:", "Host: x", "Sitemap: https://a.example/ü.xml"),
    fc.integer({ min: 0, max: 90 }).map((seconds) => `Crawl-delay: ${seconds}`),
  );
  const ends = fc.constantFrom("\n", "\r\n", "\r");

  test("says the same of every path, with the same lines", () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 30 }), ends, fc.array(path), (lines, end, paths) => {
        const whole = parseRobots(lines.join(end));
        const excerpt = parseRobots(whole.excerpt("Sluice"));
        for (const each of paths)
          expect(excerpt.decide("Sluice", each)).toEqual(whole.decide("Sluice", each));
        expect(excerpt.crawlDelayMs("Sluice")).toBe(whole.crawlDelayMs("Sluice"));
        expect(excerpt.sitemaps).toEqual(whole.sitemaps);
      }),
      { numRuns: 1000 },
    );
  });

  test("leaves out what is about others", () => {
    const others = Array.from({ length: 1000 }, (_, n) => `User-agent: other-${n}\nDisallow: /${n}\n`).join(
      "",
    );
    const excerpt = parseRobots(`${others}User-agent: sluice\nDisallow: /x\n`).excerpt("Sluice");
    expect(excerpt.length).toBeLessThan(2100);
  });
});
