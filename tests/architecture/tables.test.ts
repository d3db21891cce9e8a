import { exitCodes } from "@sluice/cli";
import { settingsByService, type Setting } from "@sluice/config";
import { errorCodes } from "@sluice/errors";
import { topicList } from "@sluice/records";
import { describe, expect, test } from "vitest";
import { launcherVariables } from "../../scripts/docs/config-page.ts";
import { tokensOf } from "./source-tokens.ts";
import { allSources, filesOf, read } from "./workspace.ts";

const services = filesOf("services", "*/package.json").map((path) => path.split("/")[1] ?? "");
/** Who else writes and reads topics. */
const others = ["users", "cli"];
const production = allSources.filter(({ forTests, path }) => !forTests && !path.startsWith("tests/"));
const isSentence = (text: string): boolean => /^[\p{Lu}0-9`/].*[.)]$/su.test(text) && text.includes(" ");

describe("topics", () => {
  test("each has a writer and a reader that exist", () => {
    for (const { name, writers, readers } of topicList) {
      for (const who of [writers, readers]) {
        expect(who.length, name).toBeGreaterThan(0);
        expect(
          who.filter((each) => !services.includes(each) && !others.includes(each)),
          name,
        ).toEqual([]);
      }
    }
  });

  test("names are plural nouns under crawl, dead letters under the name of their topic, and each is there once", () => {
    const names = topicList.map((each) => each.name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^crawl\.[a-z]+(-[a-z]+)*(\.dlq)?$/);
    for (const name of names.filter((each) => each.endsWith(".dlq")))
      expect(names).toContain(name.slice(0, -".dlq".length));
  });

  test("every topic that a service reads has dead letters, written by one of its readers", () => {
    const missing = topicList
      .filter(({ name, schema }) => schema !== null && !name.endsWith(".dlq"))
      .filter(({ readers }) => readers.some((each) => services.includes(each) && each !== "api"))
      .filter(({ name, readers }) => {
        const dead = topicList.find((each) => each.name === `${name}.dlq`);
        return dead === undefined || !dead.writers.every((each) => readers.includes(each));
      });
    expect(missing.map((each) => each.name)).toEqual([]);
  });

  test("each says what it is for, how it is keyed, and has a schema where it is public", () => {
    for (const each of topicList) {
      expect(isSentence(each.about), `${each.name}: ${each.about}`).toBe(true);
      expect(each.keyedBy.length, each.name).toBeGreaterThan(2);
      if (each.public && !each.name.endsWith(".dlq")) expect(each.schema, each.name).not.toBeNull();
      expect(each.retentionMs === null, each.name).toBe(each.cleanup === "compact");
    }
  });
});

describe("errors", () => {
  test("every code is explained and named SLUICE_", () => {
    for (const [code, about] of Object.entries(errorCodes)) {
      expect(code).toMatch(/^SLUICE_[A-Z]+(_[A-Z]+)*$/);
      expect(isSentence(about), code).toBe(true);
    }
  });

  test("every code is documented, and every exit code", () => {
    const page = read("docs/reference/errors.md");
    for (const code of Object.keys(errorCodes)) expect(page).toContain(`| \`${code}\` |`);
    for (const { code } of Object.values(exitCodes)) expect(page).toContain(`\n| ${code} |`);
  });
});

describe("settings", () => {
  const all = Object.values(settingsByService).flatMap((group) =>
    Object.values(group as Record<string, Setting>),
  );

  test("each says what it does, and no name stands for two", () => {
    for (const { env, about } of all) expect(isSentence(about), `${env}: ${about}`).toBe(true);
    const names = all.flatMap(({ env, aliases = [] }) => [env, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^(SLUICE|KAFKA)_[A-Z_]+$/);
  });

  test("a service's own settings carry its name", () => {
    const prefixes: Readonly<Record<string, RegExp>> = {
      frontier: /^SLUICE_(FRONTIER|BACKPRESSURE)_/,
      "rate-limit": /^SLUICE_RATE_LIMIT_/,
      fetcher: /^SLUICE_FETCHER_/,
      "result-sink": /^SLUICE_SINK_/,
      api: /^SLUICE_API_/,
    };
    for (const [group, settings] of Object.entries(settingsByService)) {
      if (group === "every service") continue;
      expect(services).toContain(group);
      for (const { env } of Object.values(settings as Record<string, Setting>))
        expect(env).toMatch(prefixes[group] ?? /never/);
    }
  });

  test("every variable of ours that the code names is documented", () => {
    const documented = new Set([
      ...all.flatMap(({ env, aliases = [] }) => [env, ...aliases]),
      ...Object.keys(launcherVariables),
      ...Object.keys(errorCodes),
    ]);
    const unknown = production.flatMap(({ path, text }) =>
      tokensOf(text)
        .filter(
          ({ kind, text: name }) =>
            kind !== "template" && /^(SLUICE|KAFKA)_[A-Z_]+$/.test(name) && !documented.has(name),
        )
        .map(({ line, text: name }) => `${path}:${line} ${name}`),
    );
    expect(unknown).toEqual([]);
  });
});
