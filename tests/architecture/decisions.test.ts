import { describe, expect, test } from "vitest";
import { externalDependencies, filesOf, read } from "./workspace.ts";

const pages = filesOf("docs/decisions", "*.md");

describe("decisions", () => {
  test("are numbered without a gap, and each has a date, a state, reasons and what would change it", () => {
    expect(pages.map((path) => Number(/\/(\d{4})-[a-z0-9-]+\.md$/.exec(path)?.[1]))).toEqual(
      pages.map((_, index) => index + 1),
    );
    for (const path of pages) {
      const text = read(path);
      expect(text, path).toMatch(
        /^# \S.+\n\n(Accepted|Replaced by \[\d{4}\]\(.+\)) on \d{4}-\d{2}-\d{2}\.\n/,
      );
      for (const part of ["## Choice", "## Reasons", "## What would change it"])
        expect(text, path).toContain(`\n${part}\n`);
      expect(text.split("\n").length, path).toBeLessThanOrEqual(80);
    }
  });

  test("every external dependency has its line with a reason, and no line is left of one that is gone", () => {
    const lines = new Map(
      [...read("docs/decisions/0002-dependencies.md").matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(
        (match) => [match[1] ?? "", match[2] ?? ""],
      ),
    );
    expect([...lines.keys()].toSorted()).toEqual([...externalDependencies().keys()].toSorted());
    for (const [name, reason] of lines) expect(reason.length, name).toBeGreaterThan(20);
  });
});
