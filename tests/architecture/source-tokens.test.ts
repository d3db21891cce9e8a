import { describe, expect, test } from "vitest";
import { importsOf } from "./source-imports.ts";
import { tokensOf } from "./source-tokens.ts";
import { allSources } from "./workspace.ts";

const words = (source: string): readonly string[] =>
  tokensOf(source)
    .filter((token) => token.kind === "word")
    .map((token) => token.text);

describe("tokens of a source", () => {
  test("words in comments, strings, templates and regular expressions are not code", () => {
    const source = [
      "// hidden one",
      "/* hidden two",
      " * hidden three */ const shown = 'hidden \\' four' + \"hidden\";",
      "const text = `hidden ${shownToo + `hidden ${{ deep: inner }}`} hidden`;",
      "const pattern = /hidden[/]\\/hidden/u.test(last);",
    ].join("\n");
    expect(words(source)).toEqual([
      "const",
      "shown",
      "const",
      "text",
      "shownToo",
      "deep",
      "inner",
      "const",
      "pattern",
      "test",
      "last",
    ]);
  });

  test("a slash after a value divides", () => {
    expect(words("half = whole / two / three; quarter = (half) / four")).toEqual([
      "half",
      "whole",
      "two",
      "three",
      "quarter",
      "half",
      "four",
    ]);
  });

  test("each token knows its line, behind comments and templates too", () => {
    const lines = tokensOf("/*\n\n*/ a\n`\n${b}\n` + c").filter((token) => token.kind === "word");
    expect(lines.map(({ text, line }) => `${text} ${line}`)).toEqual(["a 3", "b 5", "c 6"]);
  });

  test("what does not end is an error and not the end of the scan", () => {
    for (const source of ["/* x", "'x", "`x", "`${x", "a = /x"])
      expect(() => tokensOf(source), source).toThrow(/does not end/);
  });

  test("every source of the repository can be read to its end", () => {
    expect(allSources.length).toBeGreaterThan(100);
    for (const { path, text } of allSources) expect(() => tokensOf(text), path).not.toThrow();
  });
});

describe("imports of a source", () => {
  test("every way to name a module is found", () => {
    const source = `
      import "./a.ts";
      import b from "b";
      import * as c from "c";
      import type { D } from "d";
      import { e, type F as g } from "e";
      export { h } from "./h.ts";
      export * from "./i.ts";
      const j = await import("j");
      type K = import("k").K;
      const l = require("l");
      const m = require.resolve("m");
      // import "hidden"
      const text = 'import "hidden"';
      export const from = "hidden";
      list.from("hidden");
    `;
    expect(importsOf(source).map((each) => each.specifier)).toEqual([
      "./a.ts",
      "b",
      "c",
      "d",
      "e",
      "./h.ts",
      "./i.ts",
      "j",
      "k",
      "l",
      "m",
    ]);
  });

  test("values are told from types", () => {
    const taken = (source: string): readonly string[] =>
      importsOf(source).map(({ names, typeOnly }) =>
        [...names, typeOnly ? "types only" : "loaded"].join(" "),
      );
    expect(taken('import { a, type B, c as d, type E as F } from "x";')).toEqual(["a c loaded"]);
    expect(taken('import type { A } from "x";')).toEqual(["types only"]);
    expect(taken('import { type A } from "x";')).toEqual(["types only"]);
    expect(taken('import * as x from "x";')).toEqual(["* loaded"]);
    expect(taken('import { type } from "x";')).toEqual(["type loaded"]);
    expect(taken('export { a as b } from "x";')).toEqual(["a loaded"]);
    expect(taken('import "x";')).toEqual(["* loaded"]);
  });
});
