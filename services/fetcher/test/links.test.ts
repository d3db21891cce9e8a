import { jobSchema, type Link } from "@sluice/records";
import { admissionOf, canonicalize, type CanonicalUrl } from "@sluice/web";
import { describe, expect, test } from "vitest";
import type { Effects } from "../src/core/answers.ts";
import { sendLinks, type LinkingPage, type SentLinks } from "../src/core/links.ts";

const job = jobSchema.parse({ id: "j", seeds: ["http://e.com/"], scope: { kind: "domain" } });

function canonical(url: string): CanonicalUrl {
  const answer = canonicalize(url);
  if (answer.kind === "refused") throw new Error(answer.detail);
  return answer;
}

function send(
  page: Partial<LinkingPage> & { readonly url: string },
  links: readonly string[],
): SentLinks & { readonly written: readonly Link[] } {
  const out: Effects = [];
  const found = {
    job: "j",
    run: 1,
    kind: "link",
    parent: null,
    depth: 1,
    root: "http://e.com/",
    redirects: 0,
  } as const;
  const domain = page.politenessKey === "registrable-domain" ? "e.com" : canonical(page.url).domain;
  const full: LinkingPage = {
    politenessKey: "host",
    domain,
    depth: 0,
    keepsOutlinks: false,
    suspicion: null,
    ...page,
  };
  const sent = sendLinks(out, found, links.map(canonical), admissionOf(job), full);
  const written = out.flatMap((effect) => (effect.kind === "send" ? [effect.value as Link] : []));
  return { ...sent, written };
}

describe("links of a page", () => {
  test("that leads to nothing but hosts of its domain are strays, and its outcome says so", () => {
    const { strays, records, written } = send({ url: "http://a.e.com/" }, [
      "http://b.e.com/",
      "http://c.e.com/",
    ]);
    expect({ strays, records }).toEqual({ strays: true, records: 2 });
    expect(written.map(({ kin }) => kin)).toEqual(["stray", "stray"]);
  });

  test("to the domain's own host go in a record of their own where hosts share a politeness key", () => {
    const links = ["http://b.e.com/", "http://www.e.com/", "http://c.e.com/"];
    const { strays, records, written } = send(
      { url: "http://a.e.com/", politenessKey: "registrable-domain" },
      links,
    );
    expect({ strays, records }).toEqual({ strays: true, records: 2 });
    expect(written.map(({ kin, urls }) => [kin, urls])).toEqual([
      ["stray", ["http://b.e.com/", "http://c.e.com/"]],
      [undefined, ["http://www.e.com/"]],
    ]);
  });

  test("in several records are those of one page, which the frontier counts once", () => {
    const links = Array.from({ length: 1001 }, (_, at) => `http://e.com/${at}`);
    const { records, written } = send({ url: "http://e.com/", suspicion: "depth" }, links);
    expect(records).toBe(3);
    expect(written.map(({ suspicion, further }) => [suspicion, further])).toEqual([
      ["depth", undefined],
      ["depth", true],
      ["depth", true],
    ]);
    expect(send({ url: "http://e.com/" }, links).written.every(({ further }) => further === undefined)).toBe(
      true,
    );
  });
});
