import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SluiceError } from "@sluice/errors";
import { afterAll, describe, expect, it } from "vitest";
import {
  apiSettings,
  commonSettings,
  fetcherSettings,
  readConfig,
  shown,
  type Settings,
} from "../src/index.ts";

const dir = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};

const brokers = { KAFKA_BROKERS: "a:9092" };
const login = { KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p" };

function refusal(settings: Settings, env: Readonly<Record<string, string>>): SluiceError {
  try {
    readConfig(settings, env);
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error("the settings were taken");
}

const linesOf = (settings: Settings, env: Readonly<Record<string, string>>): readonly string[] =>
  refusal(settings, env).message.split("\n");
const variablesOf = (
  env: Readonly<Record<string, string>>,
  settings: Settings = commonSettings,
): readonly string[] => linesOf(settings, env).map((line) => line.split(" ", 1)[0] ?? "");

describe("settings from the environment", () => {
  it("are refused with every problem at once, a line each, of all settings of a service", () => {
    const error = refusal(
      { ...commonSettings, ...fetcherSettings },
      {
        SLUICE_PARTITIONS: "0",
        SLUICE_LOG_LEVEL: "loud",
        SLUICE_PREFIX: "Team",
        SLUICE_FETCHER_CONCURRENCY: "many",
        SLUICE_FETCHER_ALLOW_PRIVATE: "10.0.0.0/8,10.0.0/8,::1/129",
        SLUICE_FETCHER_RESOLVE: "a.example:80:127.0.0.1,b.example:80:nowhere,c.example:99999:::1",
      },
    );
    expect(error.code).toBe("SLUICE_CONFIG_INVALID");
    expect(error.field).toBe("KAFKA_BROKERS");
    expect(error.message.split("\n")).toEqual([
      expect.stringMatching(/^KAFKA_BROKERS is not set: /),
      expect.stringMatching(/^SLUICE_PREFIX is "Team": /),
      expect.stringMatching(/^SLUICE_PARTITIONS is "0": /),
      expect.stringMatching(/^SLUICE_LOG_LEVEL is "loud": /),
      expect.stringMatching(/^SLUICE_FETCHER_CONCURRENCY is "many": /),
      expect.stringMatching(
        /^SLUICE_FETCHER_ALLOW_PRIVATE is .*: "10.0.0\/8" is not an address block; "::1\/129" is not an address block$/,
      ),
      expect.stringMatching(
        /^SLUICE_FETCHER_RESOLVE is .*: "b.example:80:nowhere" is not host:port:address; "c.example:99999:::1" is not host:port:address$/,
      ),
    ]);
  });

  it("count as unset where they are empty, and are named as they were set", () => {
    expect(readConfig(commonSettings, { ...brokers, SLUICE_PARTITIONS: "" }).partitions).toBe(12);
    expect(
      readConfig(commonSettings, { KAFKA_BROKERS: "", KAFKA_BOOTSTRAP_SERVERS: "b:1, c:2" }).brokers,
    ).toEqual(["b:1", "c:2"]);
    expect(variablesOf({ KAFKA_BOOTSTRAP_SERVERS: "," })).toEqual(["KAFKA_BOOTSTRAP_SERVERS"]);
  });

  it("take addresses with and without a prefix length, IPv6 in brackets or bare", () => {
    const { allowPrivate, resolve } = readConfig(fetcherSettings, {
      SLUICE_FETCHER_ALLOW_PRIVATE: "127.0.0.0/8, ::1, fd00::/8",
      SLUICE_FETCHER_RESOLVE: "a:80:::1,b:443:[::1],c:1:10.0.0.1",
    });
    expect([allowPrivate.length, resolve.length]).toEqual([3, 3]);
  });
});

describe("settings of TLS and SASL", () => {
  it("need user and password with SASL", () => {
    expect(linesOf(commonSettings, { ...brokers, KAFKA_SECURITY_PROTOCOL: "SASL_SSL" })).toEqual([
      "KAFKA_SASL_USERNAME is not set: KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
      "KAFKA_SASL_PASSWORD is not set: KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
    ]);
    const { saslUsername } = readConfig(commonSettings, {
      ...brokers,
      ...login,
      KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT",
    });
    expect(saslUsername).toBe("u");
  });

  it("are refused where they would be ignored, so that nobody sends in the clear what was to be protected", () => {
    expect(variablesOf({ ...brokers, ...login })).toEqual(["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"]);
    expect(variablesOf({ ...brokers, KAFKA_SSL_CA_LOCATION: "/ca.pem" })).toEqual(["KAFKA_SSL_CA_LOCATION"]);
    const open = { ...brokers, ...login, KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT" };
    expect(variablesOf({ ...open, KAFKA_SSL_CA_LOCATION: "/ca.pem" })).toEqual(["KAFKA_SSL_CA_LOCATION"]);
  });

  it("have a client's certificate and its key together, and no password of a key that is not there", () => {
    const tls = { ...brokers, KAFKA_SECURITY_PROTOCOL: "SSL" };
    expect(variablesOf({ ...tls, KAFKA_SSL_CERTIFICATE_LOCATION: "/c" })).toEqual(["KAFKA_SSL_KEY_LOCATION"]);
    expect(variablesOf({ ...tls, KAFKA_SSL_KEY_LOCATION: "/k" })).toEqual(["KAFKA_SSL_CERTIFICATE_LOCATION"]);
    expect(variablesOf({ ...tls, KAFKA_SSL_KEY_PASSWORD: "p" })).toEqual(["KAFKA_SSL_KEY_PASSWORD"]);
  });

  it("name an unknown protocol alone, not what hangs on it", () => {
    expect(variablesOf({ ...brokers, ...login, KAFKA_SECURITY_PROTOCOL: "TLS" })).toEqual([
      "KAFKA_SECURITY_PROTOCOL",
    ]);
  });
});

describe("secrets", () => {
  const sasl = { ...brokers, KAFKA_SECURITY_PROTOCOL: "SASL_SSL", KAFKA_SASL_USERNAME: "u" };

  it("may lie in a file, of which one line break at the end is no part", () => {
    const read = (text: string): string =>
      readConfig(commonSettings, { ...sasl, KAFKA_SASL_PASSWORD_FILE: file("password", text) }).saslPassword;
    expect(read("canary")).toBe("canary");
    expect(read("canary\n")).toBe("canary");
    expect(read("canary \r\n")).toBe("canary ");
    expect(read("canary\n\n")).toBe("canary\n");
  });

  it("are refused where the file is empty or can't be read, or where both are set", () => {
    const lines = (env: Readonly<Record<string, string>>): readonly string[] =>
      linesOf(commonSettings, { ...sasl, ...env });
    expect(lines({ KAFKA_SASL_PASSWORD_FILE: join(dir, "absent") })).toEqual([
      expect.stringMatching(/^KAFKA_SASL_PASSWORD_FILE names a file that can't be read: ENOENT.*absent/),
    ]);
    expect(lines({ KAFKA_SASL_PASSWORD_FILE: file("empty", "\n") })[0]).toMatch(
      /^KAFKA_SASL_PASSWORD_FILE is not set/,
    );
    expect(lines({ KAFKA_SASL_PASSWORD: "canary", KAFKA_SASL_PASSWORD_FILE: file("other", "x") })).toEqual([
      "KAFKA_SASL_PASSWORD and KAFKA_SASL_PASSWORD_FILE are both set; one of them has to go",
    ]);
  });

  it("are never part of a message or of what is shown", () => {
    const all = { ...commonSettings, ...apiSettings };
    const wrong = refusal(all, {
      ...brokers,
      SLUICE_API_TOKEN: "canary canary",
      KAFKA_SASL_PASSWORD: "canary",
    });
    expect(wrong.message).toContain("SLUICE_API_TOKEN has a value that is not allowed");
    expect(wrong.message).toContain("KAFKA_SASL_PASSWORD has a value that is not allowed");
    const fromFile = refusal(all, { ...brokers, SLUICE_API_TOKEN_FILE: file("token", "canary canary") });
    expect(fromFile.message).toContain("SLUICE_API_TOKEN_FILE has a value that is not allowed");
    const values = readConfig(all, {
      ...sasl,
      KAFKA_SASL_PASSWORD: "canary",
      SLUICE_API_TOKEN: "canary-canary-canary",
    });
    for (const text of [wrong.message, fromFile.message, JSON.stringify(shown(all, values))])
      expect(text).not.toContain("canary");
  });
});
