import { failureCodes, listedCode, unlistedCode } from "@sluice/records";
import { describe, expect, test } from "vitest";
import type { FetchOutcome } from "../src/calls.ts";
import { measureRequest } from "../src/measure.ts";
import { UnlistedFailures, type UnlistedFailure } from "../src/unlisted-failures.ts";
import { noWait } from "./answers.ts";

const call = {
  kind: "robots" as const,
  domain: "a.example",
  url: "https://a.example/robots.txt",
  totalTimeoutMs: 1000,
  secrets: [],
  policy: {},
  ...noWait,
};

const failedWith = (code: string): FetchOutcome => ({
  kind: "robots",
  answer: {
    kind: "failed",
    category: "unknown",
    code,
    message: `it was ${code}`,
    requestSent: true,
    durationMs: 1,
  },
  breaker: { state: "closed", retryAtMs: null },
});

describe("failures", () => {
  test("are counted under their code, families together, and what is in no table as unlisted", () => {
    const countedAs = (code: string): unknown =>
      measureRequest(call, failedWith(code)).find(
        ({ metric }) => metric === "sluice_fetcher_failed_requests_total",
      )?.labels?.["code"];
    expect(
      ["ECONNRESET", "HPE_INVALID_CONSTANT", "ERR_TLS_CERT_ALTNAME_INVALID", "EWHATEVER", "toString"].map(
        countedAs,
      ),
    ).toEqual(["ECONNRESET", "HPE_*", "ERR_TLS_*", "unlisted", "unlisted"]);
  });

  test("a row of the table is its own, and a family's name is no code", () => {
    for (const row of Object.keys(failureCodes))
      expect(listedCode(row.endsWith("*") ? `${row.slice(0, -1)}X` : row)).toBe(row);
    expect(listedCode("HPE")).toBe(unlistedCode);
  });

  test("with a code that nobody knows are told with what failed, each code once a minute with how many there were", async () => {
    let nowMs = 0;
    const told: UnlistedFailure[] = [];
    const unlisted = new UnlistedFailures(
      (failure) => void told.push(failure),
      () => nowMs,
    );
    const fail = (code: string): Promise<FetchOutcome> =>
      unlisted.around(() => Promise.resolve(failedWith(code)))(call, new AbortController().signal);
    for (const code of ["EODD", "EODD", "ECONNRESET", "EVEN", "EODD"]) await fail(code);
    expect(told.map(({ code, count, url }) => [code, count, url])).toEqual([
      ["EODD", 1, call.url],
      ["EVEN", 1, call.url],
    ]);
    nowMs = 60_000;
    await fail("EODD");
    expect(told.at(-1)).toEqual({
      code: "EODD",
      category: "unknown",
      message: "it was EODD",
      url: call.url,
      count: 3,
    });
  });

  test("a host that has ever new codes fills no memory", async () => {
    const told: UnlistedFailure[] = [];
    const unlisted = new UnlistedFailures(
      (failure) => void told.push(failure),
      () => 0,
    );
    const answers = Array.from({ length: 201 }, (_, n) => failedWith(`E${n % 101}X`));
    for (const answer of answers)
      await unlisted.around(() => Promise.resolve(answer))(call, new AbortController().signal);
    // The hundred and first pushed the first one out, which is told again when it comes back.
    expect(told.length).toBeGreaterThan(101);
  });
});
