import { existsSync } from "node:fs";
import { listedCode, unlistedCode } from "@sluice/records";
import { beforeAll, describe, expect, test } from "vitest";
import { expose, type Exposed } from "./expose.ts";
import { threats } from "./hostile-server.ts";
import { threatRows } from "./threat.ts";

const bodyBytesMax = 1_000_000;
/** Machines are slow and noisy: that it ends is what is shown, and that it does so by its deadline. */
const graceMs = 5_000;
/**
 * What a process of this kind grows by on its own account while a megabyte is read: code that runs for the first time, what it has
 * read from sockets and not collected yet. A bomb of 64 MB is larger than that, and an endless body without end; what is
 * kept of them at the default limit, tests/hostile/memory.test.ts looks at.
 */
const ownBytes = 30_000_000;
const isLinux = existsSync("/proc/self/clear_refs");

describe("a fetcher that meets a hostile host", () => {
  let exposed: Exposed;
  beforeAll(async () => void (exposed = await expose(threats, { bodyBytesMax, times: 1 })), 300_000);

  test("never crashes and says nothing on its way", () => {
    expect([exposed.exitCode, exposed.stderr]).toEqual([0, ""]);
    expect(exposed.exposures.filter(({ report }) => report === undefined)).toEqual([]);
  });

  test("has a threat for each row", () => {
    expect([...new Set(threats.map(({ row }) => row))].toSorted()).toEqual(threatRows.toSorted());
    expect(new Set(threats.map(({ name }) => name)).size).toBe(threats.length);
  });

  test.each(threatRows.map((row) => [row]))("answers %s with the category that is stated", (row) => {
    const mine = exposed.exposures.filter(({ threat }) => threat.row === row);
    const told = mine.map(({ threat: { name, expected }, report }) => ({
      name,
      category: report?.categories.join(),
      ...(expected.code === undefined ? {} : { code: report?.codes.join() }),
      ...(expected.truncated === undefined ? {} : { truncated: report?.truncated }),
      ...(expected.title === undefined ? {} : { title: report?.title }),
      ...(expected.links === undefined ? {} : { links: report?.links }),
    }));
    expect(told).toEqual(mine.map(({ threat }) => ({ name: threat.name, ...threat.expected })));
  });

  test("counts each failure under a code of the table", () => {
    const codes = new Set(exposed.exposures.flatMap(({ report }) => report?.codes ?? []));
    expect(codes.size).toBeGreaterThan(10);
    expect([...codes].filter((code) => listedCode(code) === unlistedCode)).toEqual([]);
  });

  test("is free again by its deadline", () => {
    const late = exposed.exposures.filter(
      ({ report, totalTimeoutMs }) => (report?.tookMs ?? Infinity) > totalTimeoutMs + graceMs,
    );
    expect(late).toEqual([]);
  });

  test("keeps no body longer than its limit", () => {
    const longer = exposed.exposures.filter(({ report }) => (report?.bodyBytes ?? 0) > bodyBytesMax);
    expect(longer).toEqual([]);
  });

  test.skipIf(!isLinux)("holds nothing that grows with what a host sends", () => {
    const large = exposed.exposures.filter(
      ({ report }) => (report?.grownBytes ?? 0) > 2 * bodyBytesMax + ownBytes,
    );
    expect(large.map(({ threat, report }) => `${threat.name} ${report?.grownBytes}`)).toEqual([]);
  });
});
