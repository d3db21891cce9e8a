import { describe, expect, test } from "vitest";
import {
  canonicalize,
  compileScope,
  GlobError,
  ScopeError,
  type CanonicalUrl,
  type ScopeSpec,
} from "../src/index.ts";

function canonical(raw: string): CanonicalUrl {
  const url = canonicalize(raw);
  if (url.kind === "refused") throw new Error(url.detail);
  return url;
}

/** The reason of the refusal, or "admitted". */
function answers(spec: Partial<ScopeSpec>, urls: readonly string[]): string[] {
  const scope = compileScope({ kind: "any", seeds: [], ...spec });
  return urls.map((url) => {
    const decision = scope.admits(canonical(url));
    return decision.admitted ? "admitted" : decision.reason;
  });
}

const yes = "admitted";

describe("the scope", () => {
  test("path is the seed's directory, itself and all below, on its host", () => {
    const urls = {
      "http://e.com/docs": yes,
      "http://e.com/docs?a=/x": yes,
      "http://e.com/docs/": yes,
      "https://e.com:8443/docs/a/b?c": yes,
      "http://e.com/docsx": "scope_path",
      "http://e.com/": "scope_path",
      "http://e.com/Docs/a": "scope_path",
      "http://www.e.com/docs/": "scope_host",
    };
    for (const seed of ["http://e.com/docs/intro", "http://e.com/docs/", "http://e.com/docs/intro?x=/a/b"]) {
      expect(answers({ kind: "path", seeds: [seed] }, Object.keys(urls))).toEqual(Object.values(urls));
    }
    expect(
      answers({ kind: "path", seeds: ["http://e.com/docs"] }, ["http://e.com/", "http://e.com/x/y"]),
    ).toEqual([yes, yes]);
  });

  test("path keeps each seed's directory to its own host", () => {
    const seeds = ["http://a.com/x/1", "http://b.com/y/much/longer/1"];
    const urls = [
      "http://a.com/x/2",
      "http://a.com/y/much/longer/2",
      "http://b.com/y/much/longer/2",
      "http://b.com/y/2",
    ];
    expect(answers({ kind: "path", seeds }, urls)).toEqual([yes, "scope_path", yes, "scope_path"]);
  });

  test("host is the host name of any seed, on any scheme and port", () => {
    const spec: Partial<ScopeSpec> = { kind: "host", seeds: ["http://e.com/a/b", "http://10.0.0.1/"] };
    const urls = ["https://e.com:8443/", "http://www.e.com/", "http://com/", "http://10.0.0.1:81/x"];
    expect(answers(spec, urls)).toEqual([yes, "scope_host", "scope_host", yes]);
  });

  test("subdomains is a seed's host and what is below it, and of an address only itself", () => {
    const spec: Partial<ScopeSpec> = {
      kind: "subdomains",
      seeds: ["http://docs.e.com/", "http://0.0.1/", "http://[::1]/"],
    };
    const urls = [
      "http://docs.e.com/",
      "http://a.b.docs.e.com/",
      "http://e.com/",
      "http://xdocs.e.com/",
      "http://10.0.0.1/",
      "http://[::1]/",
    ];
    expect(answers(spec, urls)).toEqual([yes, yes, "scope_host", "scope_host", "scope_host", yes]);
  });

  test("domain is the registrable domain, and a provider's customers are apart", () => {
    const spec: Partial<ScopeSpec> = {
      kind: "domain",
      seeds: ["http://www.e.co.uk/", "http://me.github.io/", "http://10.0.0.1/"],
    };
    const urls = [
      "http://e.co.uk/",
      "http://a.b.e.co.uk/",
      "http://x.co.uk/",
      "http://you.github.io/",
      "http://10.0.0.1/",
      "http://11.0.0.1/",
    ];
    expect(answers(spec, urls)).toEqual([yes, yes, "scope_host", "scope_host", yes, "scope_host"]);
  });

  test("any is everything, or only the allowed domains", () => {
    const urls = ["http://e.com/", "http://a.e.com/", "http://x.com/"];
    expect(answers({ kind: "any" }, urls)).toEqual([yes, yes, yes]);
    expect(answers({ kind: "any", allowedDomains: ["*.E.com."] }, urls)).toEqual([yes, yes, "scope_host"]);
  });

  test("allowed domains come besides, whole, with what is below them", () => {
    const spec: Partial<ScopeSpec> = {
      kind: "path",
      seeds: ["http://e.com/docs/"],
      allowedDomains: ["bücher.example"],
    };
    const urls = [
      "http://e.com/docs/a",
      "http://e.com/a",
      "http://bücher.example/a",
      "http://a.bücher.example/",
      "http://xbücher.example/",
    ];
    expect(answers(spec, urls)).toEqual([yes, "scope_path", yes, yes, "scope_host"]);
  });
});

describe("include and exclude", () => {
  test("exclude wins, and of include one must match", () => {
    const spec = { include: ["/docs/**", "/api/**"], exclude: ["/docs/private/**"] };
    const urls = [
      "http://e.com/docs/a",
      "http://e.com/api",
      "http://e.com/blog",
      "http://e.com/docs/private/a",
    ];
    expect(answers(spec, urls)).toEqual([yes, yes, "include", "exclude"]);
  });

  test("a glob is about the path, the path's end or the whole URL, by its form", () => {
    const urls = ["http://e.com/a/b.pdf", "http://e.com/b.pdf", "http://f.com/docs/b.html"];
    expect(answers({ exclude: ["*.pdf"] }, urls)).toEqual(["exclude", "exclude", yes]);
    expect(answers({ exclude: ["/*.pdf"] }, urls)).toEqual([yes, "exclude", yes]);
    expect(answers({ exclude: ["docs/**"] }, urls)).toEqual([yes, yes, "exclude"]);
    expect(answers({ exclude: ["**/b.*"] }, urls)).toEqual(["exclude", "exclude", "exclude"]);
    expect(answers({ exclude: ["http://f.com/**"] }, urls)).toEqual([yes, yes, "exclude"]);
    expect(answers({ include: ["**"] }, ["http://e.com/", "http://e.com/a/b?c=/d"])).toEqual([yes, yes]);
  });

  test("a glob that says nothing of a query matches with any, one that does only with that", () => {
    const urls = ["http://e.com/a.pdf?dl=1", "http://e.com/s?q=/x/y", "http://e.com/s"];
    expect(answers({ exclude: ["*.pdf"] }, urls)).toEqual(["exclude", yes, yes]);
    expect(answers({ exclude: ["/s\\?*"] }, urls)).toEqual([yes, "exclude", yes]);
    expect(answers({ exclude: ["/s\\?q=/x/*"] }, urls)).toEqual([yes, "exclude", yes]);
  });

  test("a leading exclamation mark takes away from its list", () => {
    const urls = ["http://e.com/docs/a", "http://e.com/docs/old/a", "http://e.com/x"];
    expect(answers({ include: ["/docs/**", "!**/old/**"] }, urls)).toEqual([yes, "include", "include"]);
    expect(answers({ include: ["!**/old/**"] }, urls)).toEqual([yes, "include", yes]);
    expect(answers({ exclude: ["/docs/**", "!/docs/old/**"] }, urls)).toEqual(["exclude", yes, yes]);
  });

  test("the refusal names the glob", () => {
    const scope = compileScope({ kind: "any", seeds: [], exclude: ["/x/**", "/docs/**"] });
    expect(scope.admits(canonical("http://e.com/docs/a"))).toEqual({
      admitted: false,
      reason: "exclude",
      detail: "matches /docs/**",
    });
  });
});

test("what cannot be meant is refused at once", () => {
  const compile = (spec: Partial<ScopeSpec>) => () => compileScope({ kind: "host", seeds: [], ...spec });
  expect(compile({ seeds: ["not a url"] })).toThrow(ScopeError);
  for (const domain of ["", "http://e.com/", "e.com/docs", "a b", "user@e.com", "a..b"]) {
    expect(compile({ allowedDomains: [domain] })).toThrow(ScopeError);
  }
  expect(compile({ include: ["[a"] })).toThrow(GlobError);
  expect(compile({ exclude: [""] })).toThrow(GlobError);
});
