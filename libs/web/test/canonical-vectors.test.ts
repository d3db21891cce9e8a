import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  canonicalize,
  canonicalRulesVersion,
  sessionParams,
  trackingParams,
  type CanonicalOptions,
} from "../src/index.ts";

const docs = new URL("../../../docs/", import.meta.url);
const page = readFileSync(new URL("canonical-url.md", docs), "utf8");

interface Vector {
  readonly about: string;
  readonly raw: string;
  readonly base?: string;
  readonly options?: CanonicalOptions;
  readonly canonical?: string;
  readonly url_id?: string;
  readonly host?: string;
  readonly refused?: string;
}

const file = JSON.parse(readFileSync(new URL("canonical-url-vectors.json", docs), "utf8")) as {
  readonly rules_version: number;
  readonly vectors: readonly Vector[];
};
const given = file.vectors.filter((vector) => vector.canonical !== undefined);

const python = spawnSync("python3", ["--version"]).status === 0;
if (!python) process.stderr.write("skipped: ids by Python: there is no python3\n");

describe("the published vectors", () => {
  test.each(file.vectors.map((vector) => [vector.about, vector] as const))("hold: %s", (_about, vector) => {
    const answer = canonicalize(vector.raw, vector.base, vector.options);
    const { canonical, url_id, host, refused } = vector;
    if (answer.kind === "refused") expect({ refused: answer.reason }).toEqual({ refused });
    else
      expect({ canonical: answer.url, url_id: answer.urlId, host: answer.host }).toEqual({
        canonical,
        url_id,
        host,
      });
  });

  test("are of the rules' version, and their canonical URLs are canonical", () => {
    expect(file.rules_version).toBe(canonicalRulesVersion);
    expect(page).toContain(`## Rules, version ${canonicalRulesVersion}\n`);
    for (const { canonical, options } of given)
      expect(canonicalize(canonical ?? "", undefined, options)).toMatchObject({ url: canonical });
    expect(given.length).toBeGreaterThan(25);
  });

  test.skipIf(!python)("have the ids that the page's Python computes", () => {
    const code = /```python\n([^]*?)```/.exec(page)?.[1] ?? "";
    const script = `${code}\nimport json, sys\nfor line in sys.stdin: print(url_id(json.loads(line)))\n`;
    const { status, stdout, stderr } = spawnSync("python3", ["-c", script], {
      encoding: "utf8",
      input: given.map(({ canonical }) => JSON.stringify(canonical)).join("\n"),
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.trimEnd().split("\n")).toEqual(given.map(({ url_id }) => url_id));
  });
});

test("the examples in the table of rules are true", () => {
  const rows = [...page.matchAll(/^\|.*\| `( ?[^`]+)` → `([^`]+)` \|$/gm)];
  expect(rows.length).toBeGreaterThan(7);
  for (const [, raw = "", canonical = ""] of rows) {
    const full = /^ ?https?:/i.test(raw) ? raw : `http://example.com${raw}`;
    if (raw.endsWith("//")) continue;
    const expected = canonical.startsWith("/") ? `http://example.com${canonical}` : canonical;
    expect(canonicalize(full)).toMatchObject({ url: expected });
  }
});

test("no parameter is both tracking and a session, and lists are lower-case", () => {
  const all = [...trackingParams, ...sessionParams];
  expect(new Set(all).size).toBe(all.length);
  for (const name of all) expect(name).toMatch(/^[a-z_][a-z0-9_]*\*?$/);
});
