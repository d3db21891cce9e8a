import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "./workspace.ts";

const impure = `import { readFileSync } from "node:fs";
import { Client } from "undici";

export function step(): unknown {
  setTimeout(() => undefined, 1);
  return [Date.now(), Math.random(), process.pid, performance.now(), fetch, crypto.randomUUID(), readFileSync, Client];
}
`;
const pure = `export function step(nowMs: number, delayMs: number): number {
  return Math.max(nowMs, delayMs);
}
`;

let folder = "";

/** What the linter says by file; `folder` has the real configuration. */
function lint(): readonly { readonly file: string; readonly rule: string; readonly line: number }[] {
  const result = spawnSync(join(root, "node_modules/.bin/oxlint"), ["--format", "json", "."], {
    cwd: folder,
    encoding: "utf8",
  });
  const { diagnostics } = JSON.parse(result.stdout) as {
    diagnostics: { filename: string; code: string; labels: { span: { line: number } }[] }[];
  };
  return diagnostics.map(({ filename, code, labels }) => ({
    file: filename,
    rule: code,
    line: labels[0]?.span.line ?? 0,
  }));
}

function plant(path: string, source: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), source);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-lint-"));
  copyFileSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the linter refuses clock, timers, chance, process and network in steps and core libraries, and only there", () => {
  const guarded = [
    "services/planted/src/step.ts",
    "services/planted/src/core/planted.ts",
    "libs/topology/src/planted.ts",
    "libs/web/src/planted.ts",
    "libs/records/src/planted.ts",
  ];
  for (const path of guarded) plant(path, impure);
  plant("services/planted/src/main.ts", impure);
  plant("services/clean/src/step.ts", pure);
  const found = lint();
  const restricted = (path: string): readonly string[] =>
    found
      .filter(({ file, rule }) => file.endsWith(path) && rule.includes("no-restricted"))
      .map(({ rule, line }) => `${line} ${rule}`);
  for (const path of guarded) {
    expect(restricted(path).toSorted(), path).toEqual([
      "1 eslint(no-restricted-imports)",
      "2 eslint(no-restricted-imports)",
      "5 eslint(no-restricted-globals)",
      ...Array.from({ length: 5 }, () => "6 eslint(no-restricted-globals)"),
      "6 eslint(no-restricted-properties)",
    ]);
  }
  expect(restricted("services/planted/src/main.ts")).toEqual([]);
  expect(found.filter(({ file }) => file.includes("clean"))).toEqual([]);
});
