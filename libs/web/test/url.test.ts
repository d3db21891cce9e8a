import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalize,
  canonicalizer,
  canonicalRulesVersion,
  registrableDomain,
  urlIdOf,
  type CanonicalOptions,
} from "../src/index.ts";
import { describeWithData, readJson } from "./shared-data.ts";

function urlOf(raw: string, base?: string): string {
  const answer = canonicalize(raw, base);
  return answer.kind === "url" ? answer.url : `refused: ${answer.reason}`;
}

describe("canonicalize", () => {
  test("gives every part of a URL", () => {
    expect(canonicalize("HTTPS://User:secret@BÜCHER.example.:8443/a/./b/../c?x=1&y#top")).toEqual({
      kind: "url",
      url: "https://xn--bcher-kva.example:8443/a/c?x=1&y",
      urlId: "31aa04a6dc271f1a0da2fc83d1f0b4ac",
      host: "xn--bcher-kva.example:8443",
      domain: "xn--bcher-kva.example",
      origin: "https://xn--bcher-kva.example:8443",
      path: "/a/c?x=1&y",
    });
  });

  test.each([
    ["http://example.com", "http://example.com/"],
    ["http://example.com:80/", "http://example.com/"],
    ["https://example.com:443/", "https://example.com/"],
    ["http://example.com:443/", "http://example.com:443/"],
    ["http://example.com./a", "http://example.com/a"],
    ["http://example.com/?", "http://example.com/"],
    ["http://example.com/a?#f", "http://example.com/a"],
    ["http://example.com/%7euser/%2f%C3%bc", "http://example.com/~user/%2F%C3%BC"],
    ["http://example.com/ü b", "http://example.com/%C3%BC%20b"],
    ["http://example.com/100%", "http://example.com/100%25"],
    ["http://example.com/a%2e/%2e%2e/b", "http://example.com/b"],
    ["http://example.com/?x[y]=1|2", "http://example.com/?x%5By%5D=1%7C2"],
    ["http://example.com/?b=2&a=1&utm_source=x", "http://example.com/?b=2&a=1&utm_source=x"],
    ["http://example.com/a//b", "http://example.com/a//b"],
    ["http://[2001:DB8:0::1]:8080/", "http://[2001:db8::1]:8080/"],
    ["http://0x7f.1/", "http://127.0.0.1/"],
    ["http://ex\tample.com/a\nb", "http://example.com/ab"],
    ["http:\\\\example.com\\a", "http://example.com/a"],
    ["http://example.com/\ud800", "http://example.com/%EF%BF%BD"],
  ])("writes %j as %j", (raw, url) => {
    expect(urlOf(raw)).toBe(url);
  });

  test.each([
    ["mailto:a@example.com", "scheme"],
    ["javascript:void(0)", "scheme"],
    ["ftp://example.com/", "scheme"],
    ["/relative", "invalid"],
    ["http://", "invalid"],
    ["http://exa mple.com/", "invalid"],
    ["http://a..b/", "host"],
    ["http://./", "host"],
    ["http://example.com../", "host"],
    [`http://${"a".repeat(64)}.com/`, "host"],
    [`http://${"abcdefg.".repeat(32)}com/`, "host"],
    ["http://a,b.example/", "host"],
    [`http://example.com/${"a".repeat(2083 - 18)}`, "too_long"],
    [`data:text/html,${"a".repeat(20_000)}`, "too_long"],
  ])("refuses %.40j as %s", (raw, reason) => {
    expect(canonicalize(raw)).toMatchObject({ kind: "refused", reason });
  });

  test("takes a URL of exactly 2,083 characters", () => {
    expect(canonicalize(`http://example.com/${"a".repeat(2083 - 19)}`)).toMatchObject({ kind: "url" });
    expect(canonicalize(`http://example.com/${"ü".repeat(400)}`)).toMatchObject({ reason: "too_long" });
  });

  test("resolves a relative reference against its base", () => {
    expect(urlOf("../x?y", "https://example.com/a/b/c")).toBe("https://example.com/a/x?y");
    expect(urlOf("//other.example/", "https://example.com/")).toBe("https://other.example/");
  });

  test("never shows the userinfo, whichever way it answers", () => {
    const secrets = [
      "http://u:hunter2@example.com/",
      "http://u:hunter2@a..b/",
      "ftp://u:hunter2@h/",
      "http://u:hunter2@[/",
    ];
    for (const raw of secrets) {
      expect(JSON.stringify(canonicalize(raw))).not.toContain("hunter2");
      expect(JSON.stringify(canonicalize(raw, undefined, { userinfo: "refuse" }))).not.toContain("hunter2");
    }
    expect(canonicalize("http://u@example.com/", undefined, { userinfo: "refuse" })).toMatchObject({
      reason: "userinfo",
    });
  });

  test("sorts the query and drops parameters only when asked to", () => {
    const raw = "http://example.com/?b=2&utm_source=x&a=2&&a=1&sid=9";
    const options = { sortQuery: true, dropParams: ["utm_*", "sid"] };
    expect(canonicalize(raw, undefined, options)).toMatchObject({ url: "http://example.com/?a=2&a=1&b=2" });
    const dropped = canonicalize("http://example.com/?sid=9", undefined, { dropParams: ["sid"] });
    expect(dropped).toMatchObject({ url: "http://example.com/" });
  });

  test("drops what tracks and what names a session only when asked to", () => {
    const raw =
      "http://example.com/a;jsessionid=0A1B.n1/(S(abcdefghijklmnopqrstuvwx))/b?utm_source=x&Gclid=1&PHPSESSID=2&id=3";
    expect(urlOf(raw)).toBe(raw);
    const under = (options: CanonicalOptions): unknown => canonicalize(raw, undefined, options);
    expect(under({ dropTracking: true })).toMatchObject({
      path: "/a;jsessionid=0A1B.n1/(S(abcdefghijklmnopqrstuvwx))/b?PHPSESSID=2&id=3",
    });
    expect(under({ dropSessionIds: true })).toMatchObject({ path: "/a/b?utm_source=x&Gclid=1&id=3" });
    expect(under({ dropTracking: true, dropSessionIds: true })).toMatchObject({
      url: "http://example.com/a/b?id=3",
    });
    const dots = "http://example.com/x/a/..;jsessionid=1/b;jsession%69d=2";
    expect(canonicalize(dots, undefined, { dropSessionIds: true })).toMatchObject({ path: "/x/b" });
    const sid = (value: string): unknown =>
      canonicalize(`http://example.com/?sid=${value}`, undefined, { dropSessionIds: true });
    expect(sid("0123456789abcdef0123456789ABCDEF")).toMatchObject({ url: "http://example.com/" });
    expect(sid("news")).toMatchObject({ url: "http://example.com/?sid=news" });
  });

  test("has ids that anyone can compute, and that never change within a rules version", () => {
    expect(canonicalRulesVersion).toBe(1);
    const vectors = {
      "http://example.com/": "2a1b402420ef46577471cdc7409b0fa2",
      "https://example.com/a?b=c": "e0512f29180d11adcc238f3bae1af95f",
      "https://xn--bcher-kva.example/": "7971a8be6267ce24bde810901c82e8c4",
    };
    for (const [url, id] of Object.entries(vectors)) {
      expect(canonicalize(url)).toMatchObject({ url, urlId: id });
      expect(urlIdOf(url)).toBe(createHash("sha256").update(url, "utf8").digest("hex").slice(0, 32));
    }
  });
});

const pieces = fc.oneof(
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
  fc
    .tuple(
      fc.constantFrom("http://", "https://", "HTTP://u:p@", "https:\\\\"),
      fc.constantFrom(
        "example.com",
        "EXAMPLE.com.",
        "a.b-c.example:8080",
        "bücher.example:443",
        "[::1]:80",
        "1.2.3.4",
      ),
      fc.string({ unit: fc.constantFrom(..."ab/.%2eE5?&=#[]|^~ü \\'*$+;:@\t"), maxLength: 30 }),
    )
    .map(([scheme, host, rest]) => `${scheme}${host}/${rest}`),
);

const noises = fc.record({ dropTracking: fc.boolean(), dropSessionIds: fc.boolean() });

describe("canonicalize, for any URL", () => {
  test("changes nothing the second time", () => {
    fc.assert(
      fc.property(pieces, fc.boolean(), noises, (raw, sortQuery, noise) => {
        const options = { sortQuery, dropParams: sortQuery ? ["a*"] : [], ...noise };
        const once = canonicalize(raw, undefined, options);
        if (once.kind === "url") expect(canonicalize(once.url, undefined, options)).toEqual(once);
      }),
      { numRuns: 3000 },
    );
  });

  test("gives only characters that a URL may have, and parts that make up the whole", () => {
    fc.assert(
      fc.property(pieces, (raw) => {
        const answer = canonicalize(raw);
        if (answer.kind === "refused") return;
        expect(answer.url).toMatch(/^https?:\/\/[a-z0-9.:[\]_-]+\/[\w\-.~!$&'()*+,;=:@/?%]*$/);
        expect(answer.url).not.toMatch(/%(?![0-9A-F]{2})|^[^?]*[?]$/);
        expect(answer.origin + answer.path).toBe(answer.url);
        expect(new URL(answer.url).host).toBe(answer.host);
        expect(new URL(answer.url).hostname).toBe(answer.domain);
      }),
      { numRuns: 3000 },
    );
  });

  test("gives the same with and without the shortcut for plain URLs", () => {
    fc.assert(
      fc.property(pieces, (raw) => {
        // A leading blank changes nothing, but with one the shortcut is not taken.
        expect(canonicalize(raw)).toEqual(canonicalize(` ${raw}`));
      }),
      { numRuns: 3000 },
    );
  });
});

test("a canonicalizer answers like canonicalize and gives repeated references the same answer", () => {
  const canonical = canonicalizer("https://example.com/a/", {}, 1);
  expect(canonical("b")).toEqual(canonicalize("b", "https://example.com/a/"));
  expect(canonical("b")).toBe(canonical("b"));
  expect(canonical("c")).toMatchObject({ url: "https://example.com/a/c" });
});

test.each([
  ["www.example.co.uk", "example.co.uk"],
  ["example.com", "example.com"],
  ["a.b.github.io", "b.github.io"],
  ["co.uk", "co.uk"],
  ["localhost", "localhost"],
  ["127.0.0.1", "127.0.0.1"],
  ["[2001:db8::1]", "[2001:db8::1]"],
  ["www.example.com:8080", "example.com"],
])("the registrable domain of %s is %s", (host, domain) => {
  expect(registrableDomain(host)).toBe(domain);
});

interface Row {
  readonly id: number;
  readonly in: string;
  readonly out: string;
  readonly source: string;
}

/** Rows where we answer otherwise than the source, by the reason why. */
const misses: readonly { readonly why: string; readonly ids: readonly number[] }[] = [
  { why: "hosts are punycode here, the form DNS and Host headers have; Unicode there", ids: [156, 165] },
  { why: "empty path segments are kept: servers may tell /a//b from /a/b", ids: [189, 190, 191, 192, 193] },
  {
    why: "only http and https are crawled; the source canonicalises any scheme",
    ids: [
      195, 213, 214, 215, 216, 217, 219, 1039, 1092, 1093, 1094, 1098, 1099, 1100, 1104, 1105, 1106, 1107,
      1108, 1109, 1125, 1126, 1127, 1128, 1129, 1130, 1131, 1132, 1133, 1134, 1135, 1136, 1137, 1138, 1139,
      1140, 1141, 1142, 1143, 1144, 1145, 1146, 1147, 1148, 1153, 1154,
    ],
  },
  { why: "no host, so nothing to crawl; the source keeps it", ids: [196, 197, 198, 199] },
  {
    why: "unreserved characters are decoded and a stray % is encoded (RFC 3986 §6.2.2.2, §2.4); WHATWG leaves both",
    ids: [
      1040, 1050, 1051, 1052, 1055, 1056, 1061, 1062, 1063, 1064, 1065, 1069, 1070, 1071, 1072, 1073, 1074,
    ],
  },
  {
    why: "invalid by the URL standard of today (host 09, bare % or %20 in a host, a C1 control from mis-decoded UTF-8); the source is older or lenient",
    ids: [1042, 1086, 1090, 1091, 1095, 1101, 1110, 1155],
  },
  { why: "the fragment is dropped: it never reaches the server", ids: [1045, 1077] },
  {
    why: "a host with empty labels cannot be resolved; the source reads it as an address or keeps it",
    ids: [1078, 1113, 1114, 1115, 1116, 1117, 1118, 1119, 1120, 1121, 1122, 1123, 1124],
  },
  { why: "an empty query is dropped", ids: [1082] },
  { why: "no base and no scheme: a relative reference is not a URL", ids: [1088, 1089] },
  { why: "userinfo is dropped: it is a secret and no part of the page", ids: [1150, 1151, 1152] },
];

describeWithData("canonicalize on the rows of other projects", ["url-normalize.json"], () => {
  test("agrees but for the misses listed here, each for a reason", () => {
    const rows = readJson<Row[]>("url-normalize.json");
    const missed = rows.filter((row) => urlOf(row.in) !== row.out);
    expect(missed.map(({ id }) => id)).toEqual(misses.flatMap(({ ids }) => ids).sort((a, b) => a - b));
    const score = (source: string): string => {
      const ofSource = rows.filter((row) => row.source.startsWith(source));
      return `${ofSource.filter((row) => !missed.includes(row)).length} of ${ofSource.length}`;
    };
    expect({ nutch: score("nutch"), urlcanon: score("iipc/urlcanon") }).toEqual({
      nutch: "69 of 87",
      urlcanon: "33 of 118",
    });
  });
});
