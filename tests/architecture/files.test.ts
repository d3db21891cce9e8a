import { existsSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { describe, expect, test } from "vitest";
import { allSources, filesOf, manifestOf, packages, read, root as folder } from "./workspace.ts";
import { tokensOf } from "./source-tokens.ts";

const linesMax = 400;

/** Larger files, each with the reason why it is not parted. */
const largerFiles: Readonly<Record<string, string>> = {};

/** Names that say nothing of what is inside and so take in everything. */
const emptyNames = /^(utils?|helpers?|common|misc|types|shared|lib)$/;

describe("files", () => {
  test("names are kebab-case nouns that say what is inside", () => {
    const wrong = allSources.filter(({ path }) =>
      path
        .replace(/(\.test)?\.ts$/, "")
        .split("/")
        .slice(1)
        .some((part) => emptyNames.test(part) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(part)),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test(`no source has more than ${linesMax} lines but those with a reason`, () => {
    const larger = allSources
      .filter(({ text }) => text.trimEnd().split("\n").length > linesMax)
      .map(({ path }) => path);
    expect(larger).toEqual(Object.keys(largerFiles).toSorted());
  });

  test("a service has a composition root and a step", () => {
    for (const service of ["frontier", "rate-limit", "fetcher", "result-sink"]) {
      expect(filesOf(`services/${service}/src`, "{main,step}.ts")).toHaveLength(2);
    }
  });

  test("services and libraries are written in TypeScript and nothing else", () => {
    for (const group of ["services", "libs"]) {
      expect(filesOf(group, "*/src/**/*.ts").length).toBeGreaterThan(10);
      expect(filesOf(group, "*/{src,test}/**/*.{js,mjs,cjs,jsx,py,sh}")).toEqual([]);
    }
  });

  test("the top level has the folders and files that were asked for", () => {
    const asked = [
      "services",
      "libs",
      "deploy",
      "k8s",
      "docker-compose.yml",
      "package.json",
      "nx.json",
      "tsconfig.base.json",
    ];
    expect(asked.filter((name) => !existsSync(join(folder, name)))).toEqual([]);
    for (const service of ["frontier", "rate-limit", "fetcher", "result-sink"])
      expect(existsSync(join(folder, "services", service))).toBe(true);
  });

  test("every test file belongs to a project of vitest", () => {
    const patterns = tokensOf(read("vitest.config.ts"))
      .filter(({ kind, text }) => kind === "string" && text.endsWith(".test.ts"))
      .map(({ text }) => text);
    expect(patterns.length).toBeGreaterThanOrEqual(4);
    const tests = allSources.filter(({ path }) => path.endsWith(".test.ts"));
    expect(
      tests
        .filter(({ path }) => !patterns.some((pattern) => matchesGlob(path, pattern)))
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test("no source leaves something for later or speaks of a machine's own folders", () => {
    // Written so that they do not find themselves.
    const marks = /(?<![A-Za-z])(T[O]DO|F[I]XME|X{3}|\/w[o]rk\/)/;
    expect(allSources.filter(({ text }) => marks.test(text)).map(({ path }) => path)).toEqual([]);
  });

  test("every package has the licence, the version and the module type of the repository", () => {
    const root = manifestOf(".") as { version?: string; license?: string };
    const odd = packages.filter(({ folder }) => {
      const manifest = JSON.parse(read(`${folder}/package.json`)) as Record<string, unknown>;
      return (
        manifest["version"] !== root.version ||
        manifest["license"] !== root.license ||
        manifest["type"] !== "module" ||
        manifest["private"] !== true
      );
    });
    expect(odd.map((each) => each.folder)).toEqual([]);
    expect(read("LICENSE")).toContain("Apache License");
  });
});
