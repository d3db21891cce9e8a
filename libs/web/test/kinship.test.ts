import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kinshipOf, type Kin } from "../src/index.ts";

const hostOf = (url: string): string => new URL(url).host;
const linkTo = (url: string) => ({ url, domain: hostOf(url) });

/** What links from a page are to each host that they lead to. */
function kinsOf(url: string, root: string | null, links: readonly string[]): Record<string, Kin | null> {
  const kinOf = kinshipOf({ url, host: hostOf(url), root }, links.map(linkTo));
  return Object.fromEntries(links.map((link) => [hostOf(link), kinOf(hostOf(link))]));
}

describe("what links of a page are to the hosts that they lead to", () => {
  test.each<[string, string, string | null, readonly string[], Record<string, Kin | null>]>([
    [
      "to others of its domain and to none of its own pages: strays",
      "http://a.e.com/",
      "e.com",
      ["http://b.e.com/", "http://c.d.e.com/", "http://other.com/"],
      { "b.e.com": "stray", "c.d.e.com": "stray", "other.com": null },
    ],
    [
      "a link to the page itself is none to another page",
      "http://a.e.com/",
      "e.com",
      ["http://a.e.com/", "http://b.e.com/"],
      { "a.e.com": null, "b.e.com": "stray" },
    ],
    [
      "one page of its own is enough",
      "http://a.e.com/",
      "e.com",
      ["http://b.e.com/", "http://a.e.com/about"],
      { "b.e.com": null, "a.e.com": "self" },
    ],
    ["the domain's own list hosts", "http://e.com/", null, ["http://b.e.com/"], { "b.e.com": null }],
    ["and www", "http://www.e.co.uk/", null, ["http://b.e.co.uk/"], { "b.e.co.uk": null }],
    ["and where the crawl began", "http://a.e.com/", "a.e.com", ["http://b.e.com/"], { "b.e.com": null }],
    [
      "links back to these say nothing",
      "http://a.e.com/",
      "s.e.com",
      ["http://s.e.com/", "http://e.com/", "http://www.e.com/", "http://b.e.com/"],
      { "s.e.com": null, "e.com": null, "www.e.com": null, "b.e.com": "stray" },
    ],
  ])("%s", (_, url, root, links, kins) => {
    expect(kinsOf(url, root, links)).toEqual(kins);
  });

  test("a page leads to itself or strays, never both, and strays never leave the registrable domain", () => {
    const host = fc
      .tuple(fc.constantFrom("", "a.", "b.", "www.", "x.y."), fc.constantFrom("e.com", "f.com", "g.co.uk"))
      .map((parts) => parts.join(""));
    const url = fc
      .tuple(host, fc.constantFrom("/", "/p", "/q"))
      .map(([name, path]) => `http://${name}${path}`);
    const domainOf = (name: string): string =>
      name
        .split(".")
        .slice(name.endsWith("co.uk") ? -3 : -2)
        .join(".");
    fc.assert(
      fc.property(url, fc.option(host), fc.array(url, { maxLength: 8 }), (page, root, links) => {
        const kins = Object.entries(kinsOf(page, root, links));
        expect(new Set(kins.map(([, kin]) => kin).filter((kin) => kin !== null)).size).toBeLessThanOrEqual(1);
        for (const [name, kin] of kins) {
          expect(kin === "self").toBe(
            name === hostOf(page) &&
              ![domainOf(name), `www.${domainOf(name)}`, root].includes(name) &&
              links.some((link) => hostOf(link) === name && link !== page),
          );
          if (kin === "stray") {
            expect(domainOf(name)).toBe(domainOf(hostOf(page)));
            expect(name).not.toBe(hostOf(page));
          }
        }
      }),
    );
  });
});
