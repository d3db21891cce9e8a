import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SecretStore } from "../src/secrets.ts";

const origins = ["https://site.example"];
const canary = "canary-9d1e";

describe("secrets", () => {
  let dir = "";
  beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), "sluice-secrets-"))));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const storeOf = (env: Readonly<Record<string, string>>, clock = { nowMs: 0 }): SecretStore =>
    new SecretStore({ env, dir, monotonicMs: () => clock.nowMs });

  test.each<[string, object, string, string]>([
    ["basic", { user: "us", password: "pä:ss" }, "authorization", "Basic dXM6cMOkOnNz"],
    ["bearer", { token: "abc.def" }, "authorization", "Bearer abc.def"],
    ["cookie", { cookie: "a=b; c=d" }, "cookie", "a=b; c=d"],
    ["header", { header: "x-api-key", value: "k" }, "x-api-key", "k"],
  ])("of kind %s become the field that they stand for", (kind, fields, field, value) => {
    const text = JSON.stringify({ kind, origins, ...fields });
    expect(storeOf({ SLUICE_SECRET_DOCS: text }).named("docs")).toEqual({
      kind: "bound",
      origins,
      field,
      value,
    });
  });

  test("come from the environment before the folder, and are read again when a file has changed", () => {
    const clock = { nowMs: 0 };
    const store = storeOf({ SLUICE_SECRET_BOTH: "from-env" }, clock);
    writeFileSync(join(dir, "both"), "from-file");
    writeFileSync(join(dir, "file_only"), "first\n");
    expect(store.named("both")).toEqual({ kind: "plain", text: "from-env" });
    expect(store.named("file_only")).toEqual({ kind: "plain", text: "first" });
    writeFileSync(join(dir, "file_only"), "second\n");
    clock.nowMs = 9_999;
    expect(store.named("file_only")).toEqual({ kind: "plain", text: "first" });
    clock.nowMs = 10_000;
    expect(store.named("file_only")).toEqual({ kind: "plain", text: "second" });
  });

  test("that are not there, or lie outside the folder, are a problem by name", () => {
    const store = storeOf({ PATH: "/bin", SLUICE_API_TOKEN: canary });
    for (const name of ["missing", "../etc/passwd", "a/b", "..", "", "UPPER", "api_token"])
      expect(store.named(name)).toMatchObject({ kind: "problem" });
    expect(store.file("../secrets")).toMatchObject({ kind: "problem" });
    expect(store.named("missing")).toEqual({
      kind: "problem",
      reason: 'secret "missing" is not among this fetcher\'s secrets',
    });
  });

  test("a file that can't be read is a problem with its code", () => {
    if (process.getuid?.() === 0) return;
    writeFileSync(join(dir, "closed"), canary);
    chmodSync(join(dir, "closed"), 0);
    expect(storeOf({}).named("closed")).toMatchObject({ reason: 'secret "closed" can\'t be read (EACCES)' });
  });

  test.each<[string, string]>([
    ["no JSON", `{"token":"${canary}"`],
    ["another kind", JSON.stringify({ kind: canary, origins })],
    ["no origins", JSON.stringify({ kind: "bearer", token: canary })],
    [
      "an origin with a path",
      JSON.stringify({ kind: "bearer", token: canary, origins: ["https://a.test/"] }),
    ],
    ["a host in place of an origin", JSON.stringify({ kind: "bearer", token: canary, origins: ["a.test"] })],
    ["a field that is not its own", JSON.stringify({ kind: "bearer", token: "x", origins, [canary]: 1 })],
    ["an injection", JSON.stringify({ kind: "bearer", token: `x\r\nhost: ${canary}`, origins })],
    ["an injection in plain", `x\r\nhost: ${canary}`],
    ["nothing", "  "],
    ["far too much", canary.repeat(5_000)],
  ])("with %s are a problem that never quotes them", (_, text) => {
    const found = storeOf({ SLUICE_SECRET_BAD: text }).named("bad");
    expect(found).toMatchObject({ kind: "problem" });
    expect(JSON.stringify(found)).not.toContain(canary);
  });
});
