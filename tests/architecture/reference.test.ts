import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { topicList } from "@sluice/records";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differences, generatedFiles } from "../../scripts/generated.ts";
import { filesOf, read, root } from "./workspace.ts";

describe("what is generated", () => {
  test("is what the tables in the code say; npm run docs writes it anew", () => {
    expect(differences(root)).toEqual([]);
  });

  test("is compared by npm run docs -- --check, which ends with 0 where it is current", () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/docs.ts"), "--check"], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("names every topic and has a JSON Schema for each public one", () => {
    const page = read("docs/reference/topics.md");
    for (const { name, public: isPublic, schema } of topicList) {
      expect(page).toContain(`| \`${name}\` |`);
      if (!isPublic || schema === null) continue;
      const json = JSON.parse(read(`docs/reference/schemas/${name}.json`)) as {
        $schema: string;
        title: string;
      };
      expect(json).toMatchObject({ $schema: "https://json-schema.org/draft/2020-12/schema", title: name });
    }
  });

  describe("in a folder of its own", () => {
    let folder = "";
    const path = "docs/reference/topics.md";
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "sluice-reference-"));
      for (const [page, text] of generatedFiles()) {
        mkdirSync(dirname(join(folder, page)), { recursive: true });
        writeFileSync(join(folder, page), text);
      }
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("a page that was changed, is missing or has nothing in the code is told", () => {
      expect(differences(folder)).toEqual([]);
      const text = readFileSync(join(folder, path), "utf8");
      writeFileSync(join(folder, path), text.replace("7 days", "8 days"));
      expect(differences(folder)).toEqual([{ path, how: "out of date" }]);
      rmSync(join(folder, path));
      expect(differences(folder)).toEqual([{ path, how: "missing" }]);
      writeFileSync(join(folder, path), text);
      writeFileSync(join(folder, "docs/reference/schemas/crawl.gone.json"), "{}");
      expect(differences(folder)).toEqual([
        { path: "docs/reference/schemas/crawl.gone.json", how: "of nothing in the code" },
      ]);
    });
  });

  test("there is a page on each pattern, and every path that a page names exists", () => {
    expect(filesOf("docs/patterns", "*.md").map((path) => path.slice("docs/patterns/".length))).toEqual([
      "concurrent-processing.md",
      "coordination.md",
      "rate-limiting.md",
      "telemetry.md",
    ]);
    const named = [
      ...filesOf("docs", "**/*.md"),
      ...filesOf("deploy", "**/*.md"),
      ...filesOf(".", "*.md"),
    ].flatMap((page) =>
      [...read(page).matchAll(/`((?:libs|services|tests|scripts|docs|deploy|k8s)\/[\w./-]+)`/g)].map(
        (match) => ({ page, path: match[1] ?? "" }),
      ),
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("every link between the pages of this repository leads to a file", () => {
    const broken = ["docs", "deploy", "k8s", "."]
      .flatMap((folder) => filesOf(folder, folder === "." ? "*.md" : "**/*.md"))
      .flatMap((page) =>
        [...read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
          .map((match) => match[1] ?? "")
          .filter((target) => !/^[a-z]+:/.test(target))
          .map((target) => ({ page, file: join(dirname(page), target) })),
      )
      .filter(({ file }) => filesOf(".", file).length === 0 && filesOf(file, "*").length === 0);
    expect(broken).toEqual([]);
  });
});
