import { describe, expect, test } from "vitest";
import { impuritiesOf } from "./purity.ts";
import { allSources } from "./workspace.ts";

const pureFiles =
  /^(services\/[^/]+\/src\/(step\.ts|core\/.*)|libs\/(topology|records|web|errors)\/src\/.*|libs\/http\/src\/retry-policy\.ts)$/;

const planted: Readonly<Record<string, string>> = {
  "Date.now": "const now = Date.now();",
  "new Date()": "const now = new Date().toISOString();",
  Date: "const clock = Date; clock.now();",
  "Math.random": "const jitter = Math.random() * 10;",
  setTimeout: "setTimeout(() => undefined, 1);",
  setInterval: "const every = setInterval;",
  queueMicrotask: "queueMicrotask(next);",
  process: "const key = process.env.KEY;",
  fetch: "const answer = await fetch(url);",
  performance: "const startedMs = performance.now();",
  crypto: "const id = crypto.randomUUID();",
  globalThis: "const now = globalThis.Date.now();",
  "import()": "const fs = await import('node' + ':fs');",
  "import.meta": "const here = import.meta.dirname;",
  "import of node:fs": 'import { readFileSync } from "node:fs";',
  "import of node:timers/promises": 'import { setTimeout as sleep } from "node:timers/promises";',
  "import of node:crypto": 'import { createHash, randomUUID } from "node:crypto";',
  "import of undici": 'import { Client } from "undici";',
  "import of @sluice/config": 'import { readConfig } from "@sluice/config";',
};

describe("purity", () => {
  test.each(Object.entries(planted))("a planted %s is found", (what, source) => {
    const found = impuritiesOf(`\n// a comment\n${source}\n`);
    expect(found.map((each) => each.what)).toContain(what);
    expect(found[0]?.line).toBe(3);
  });

  test("a violation in a template's expression and in a shorthand is found", () => {
    expect(impuritiesOf("const text = `at ${Date.now()}`;")).toHaveLength(1);
    expect(impuritiesOf("const ports = { fetch };")).toHaveLength(1);
    expect(impuritiesOf("const pick = fast ? fetch : slow;")).toHaveLength(1);
    expect(impuritiesOf("const { random } = Math;")).toHaveLength(1);
  });

  test("functions of their arguments, names of fields, comments and strings are no violation", () => {
    const pure = `
      import { createHash } from "node:crypto";
      import type { Job } from "@sluice/records";
      // Date.now() and setTimeout are for the runtime
      const at = new Date(nowMs).toISOString() + String(Date.UTC(2026, 0)) + String(Date.parse(text));
      const limits = { fetch: job.fetch.totalTimeoutMs, process: "Date.now()" };
      const least = Math.min(1, 2);
      interface Shape { readonly fetch?: number; process: string }
      const pattern = /process\\.exit/;
    `;
    expect(impuritiesOf(pure)).toEqual([]);
  });

  test("steps, their cores and the core libraries are functions of state, input and time", () => {
    const files = allSources.filter(({ path }) => pureFiles.test(path));
    for (const service of ["frontier", "rate-limit", "fetcher", "result-sink"]) {
      expect(files.map(({ path }) => path)).toContain(`services/${service}/src/step.ts`);
    }
    const violations = files.flatMap(({ path, text }) =>
      impuritiesOf(text).map(({ line, what }) => `${path}:${line} ${what}`),
    );
    expect(violations).toEqual([]);
  });
});
