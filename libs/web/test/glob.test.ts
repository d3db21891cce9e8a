import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileGlob, GlobError } from "../src/index.ts";

/** Answers that picomatch 4.0.7 gives too, with `dot: true`. */
const likeMicromatch: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["*", ["a", "a.html", ".a", "a/"], ["a/b", "/a"]],
  ["**", ["a", "a/b", "/a/b/"], []],
  ["/docs/*", ["/docs/a", "/docs/a/"], ["/docs", "/docs/", "/docs/a/b", "/docsx"]],
  ["/docs/**", ["/docs", "/docs/", "/docs/a", "/docs/a/b"], ["/docsx", "/doc", "docs/a"]],
  ["**/*.html", ["a.html", "x/a.html", "/x/y/a.html"], ["a.htm", "a.html/b"]],
  ["/a/**/b", ["/a/b", "/a/x/b", "/a/x/y/b"], ["/a/xb", "/ab", "/a/b/c"]],
  ["**/b/**", ["b", "a/b", "b/c", "a/b/c/d"], ["ab", "a/bc"]],
  ["a**b", ["ab", "axb"], ["a/b"]],
  ["/a/***", ["/a/x"], ["/a", "/a/x/y"]],
  ["**/*-old", ["x-old", "a/b/x-old"], ["x-old2"]],
  ["a?c", ["abc"], ["ac", "a/c", "abbc"]],
  ["[abc]", ["a", "c"], ["d", "ab", ""]],
  ["[^a-c]x", ["dx"], ["ax", "x"]],
  ["[a\\]b]", ["]", "b"], ["\\"]],
  ["{a,b}/c", ["a/c", "b/c"], ["c", "a,b/c"]],
  ["{/docs,/api}/**", ["/docs", "/api/x"], ["/x"]],
  ["/x/{a,b/**}", ["/x/a", "/x/b/c"], ["/x/c"]],
  ["a{,b}c", ["ac", "abc"], ["abbc"]],
  ["a{b}c", ["a{b}c"], ["abc"]],
  ["{1..3}", ["1", "3"], ["4", "12"]],
  ["*.{js,ts}", ["a.js", "a.ts"], ["a.jsx"]],
  ["\\*a", ["*a"], ["xa"]],
  ["a\\?b", ["a?b"], ["axb"]],
  ["!/docs/**", ["/x"], ["/docs/a"]],
  ["!!a", ["a"], ["b"]],
];

describe("a glob means what micromatch means by it", () => {
  test.each(likeMicromatch)("%s", (pattern, matching, others) => {
    const glob = compileGlob(pattern);
    expect(matching.filter((text) => !glob.matches(text))).toEqual([]);
    expect(others.filter((text) => glob.matches(text))).toEqual([]);
  });
});

test("a class may be negated with an exclamation mark, as in a shell", () => {
  expect([compileGlob("[!abc]x").matches("dx"), compileGlob("[!abc]x").matches("ax")]).toEqual([true, false]);
});

test("parentheses are themselves where they follow no wildcard", () => {
  expect(compileGlob("/wiki/Foo_(bar)").matches("/wiki/Foo_(bar)")).toBe(true);
});

test.each([
  ["", "empty glob"],
  ["!", "empty glob"],
  ["a/[b", '"[" has no "]"; write "\\[" for a bracket (at character 3)'],
  ["a{b", '"{" has no "}"; write "\\{" for a brace (at character 2)'],
  ["a\\", "a backslash at the end escapes nothing (at character 2)"],
  ["[z-a]", "the range z-a runs backwards (at character 1)"],
  ["+(a|b)", '"+(" starts an extended glob'],
  ["!(a)", '"!(" starts an extended glob'],
  ["{1..1000}", "the range has more than 256 items (at character 1)"],
  ["{".repeat(20), "braces nest deeper than 16"],
  ["a".repeat(401), "glob of 401 characters, at most 400 are allowed"],
])("%.20j is refused with the problem's name", (pattern, problem) => {
  expect(() => compileGlob(pattern)).toThrow(GlobError);
  expect(() => compileGlob(pattern)).toThrow(problem);
});

test("agrees with a matcher that tries everything, for any pattern of stars and any text", () => {
  const slow = (pattern: string, text: string): boolean => {
    if (pattern === "") return text === "";
    if (pattern[0] === "?") return text !== "" && text[0] !== "/" && slow(pattern.slice(1), text.slice(1));
    if (pattern[0] !== "*") return pattern[0] === text[0] && slow(pattern.slice(1), text.slice(1));
    return slow(pattern.slice(1), text) || (text !== "" && text[0] !== "/" && slow(pattern, text.slice(1)));
  };
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "?", "*a", "b*", "/a"), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 10 });
  fc.assert(
    // The end is a letter, since a final star takes a slash more.
    fc.property(pattern, text, (p, t) => {
      expect(compileGlob(`x${p}x`).matches(`x${t}x`)).toBe(slow(`x${p}x`, `x${t}x`));
    }),
    { numRuns: 5000 },
  );
});

test("no pattern makes a match long that a backtracking matcher would never end", () => {
  const text = `${"a/".repeat(20)}${"a".repeat(2000)}`;
  for (const pattern of [
    `${"*a".repeat(199)}b`,
    `${"**/".repeat(130)}b`,
    `${"{,a}".repeat(99)}b`,
    `${"{a,aa}*".repeat(56)}b`,
    `**/${"{a*,*a}".repeat(50)}b`,
  ]) {
    expect(compileGlob(pattern).matches(text)).toBe(false);
  }
});

test("one glob keeps giving right answers when its texts need more sets of states than it remembers", () => {
  const glob = compileGlob("x*a?????????x");
  const text = fc.string({ unit: fc.constantFrom("a", "b", "ü", "/"), minLength: 9, maxLength: 60 });
  fc.assert(
    fc.property(text, (t) => {
      expect(glob.matches(`x${t}x`)).toBe(/^x[^/]*a[^/]{9}x$/.test(`x${t}x`));
    }),
    { numRuns: 3000 },
  );
});
