import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { tokensOf } from "./source-tokens.ts";
import { read, root } from "./workspace.ts";

/** Rows of each of the five texts, and items of the user's card. */
const rowsBySource = { "000": 46, "001": 32, "002": 84, "003": 58, "004": 49, card: 20 } as const;

interface Row {
  readonly id: string;
  readonly asked: string;
  readonly shownBy: readonly string[];
}

const rows: readonly Row[] = [
  ...read("docs/requirements.md").matchAll(/^\| ((?:\d{3}|card)-\d{2}) \| (.+) \| (.+) \|$/gm),
].map(([, id = "", asked = "", shown = ""]) => ({
  id,
  asked,
  shownBy: shown === "open" ? [] : shown.split("<br>"),
}));

/** Names of the tests in a source: the first argument of `test`, `it`, `describe` and what they return. */
function testNamesOf(source: string): ReadonlySet<string> {
  const tokens = tokensOf(source);
  const names = tokens.filter((token, index) => {
    if (token.kind !== "string" && token.kind !== "template") return false;
    const caller = tokens[index - 2]?.text ?? "";
    return tokens[index - 1]?.text === "(" && ["test", "it", "describe", ")"].includes(caller);
  });
  return new Set(names.map((token) => token.text));
}

/** Why a row does not name a test that exists; null where it does. */
function problemOf(shown: string): string | null {
  const [path = "", name = "", ...rest] = shown.split(" › ");
  if (name === "" || rest.length > 0) return "is not `file › name`";
  if (!path.endsWith(".test.ts")) return "names a file that is no test";
  if (!existsSync(join(root, path))) return "names a file that is not there";
  // A traces test has a test for each file beside it, named as the file.
  if (existsSync(join(root, dirname(path), "traces", `${name.replaceAll(" ", "-")}.txt`))) return null;
  return testNamesOf(read(path)).has(name) ? null : "names a test that is not in the file";
}

describe("the table of requirements", () => {
  test("every row of the sources is there once, in order", () => {
    const ids = Object.entries(rowsBySource).flatMap(([source, count]) =>
      Array.from({ length: count }, (_, index) => `${source}-${String(index + 1).padStart(2, "0")}`),
    );
    expect(ids).toHaveLength(269 + rowsBySource.card);
    expect(rows.map((row) => row.id)).toEqual(ids);
  });

  test("every row says what is asked, and names tests that exist or is open", () => {
    expect(rows.filter((row) => row.asked.length < 4 || !row.asked.endsWith("."))).toEqual([]);
    const wrong = rows
      .flatMap(({ id, shownBy }) => shownBy.map((shown) => ({ id, shown, problem: problemOf(shown) })))
      .filter(({ problem }) => problem !== null);
    expect(wrong).toEqual([]);
    expect(rows.some((row) => row.shownBy.length > 0)).toBe(true);
  });

  test("a row that names no test, or one that is gone, is found", () => {
    const here = "tests/architecture/requirements.test.ts";
    expect(problemOf(`${here} › every row of the sources is there once, in order`)).toBeNull();
    expect(problemOf("services/frontier/test/traces.test.ts › seed to due")).toBeNull();
    expect(problemOf(`${here} › every row of the sources is there twice`)).toContain("not in the file");
    expect(problemOf(`${here} › names a test that is not in the file`)).toContain("not in the file");
    expect(problemOf("tests/architecture/gone.test.ts › x")).toContain("not there");
    expect(problemOf("docs/requirements.md › x")).toContain("no test");
    expect(problemOf("soon")).toContain("is not");
  });
});
