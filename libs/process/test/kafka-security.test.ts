import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commonSettings, readConfig } from "@sluice/config";
import { SluiceError } from "@sluice/errors";
import { afterAll, describe, expect, it } from "vitest";
import { kafkaRefusal } from "../src/kafka-refusal.ts";
import { kafkaSecurity } from "../src/kafka-security.ts";

const dir = mkdtempSync(join(tmpdir(), "sluice-security-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const securityOf = (env: Readonly<Record<string, string>>) =>
  kafkaSecurity(readConfig(commonSettings, { KAFKA_BROKERS: "k:9092", ...env }));

function refusal(work: () => unknown): SluiceError {
  try {
    work();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("TLS and SASL for the client", () => {
  const login = { KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p" };

  it("are left out, one of them, or both, as the protocol says", () => {
    expect(securityOf({})).toEqual({});
    expect(securityOf({ KAFKA_SECURITY_PROTOCOL: "SSL" })).toEqual({ ssl: {} });
    const sasl = { mechanism: "plain", username: "u", password: "p" };
    expect(securityOf({ ...login, KAFKA_SECURITY_PROTOCOL: "SASL_PLAINTEXT" })).toEqual({ sasl });
    expect(securityOf({ ...login, KAFKA_SECURITY_PROTOCOL: "SASL_SSL" })).toEqual({ ssl: {}, sasl });
  });

  it("name every file that can't be read", () => {
    const error = refusal(() =>
      securityOf({
        KAFKA_SECURITY_PROTOCOL: "SSL",
        KAFKA_SSL_CA_LOCATION: join(dir, "no-ca"),
        KAFKA_SSL_CERTIFICATE_LOCATION: join(dir, "no-certificate"),
        KAFKA_SSL_KEY_LOCATION: dir,
      }),
    );
    expect(error.code).toBe("SLUICE_CONFIG_INVALID");
    expect(error.message.split("\n").map((line) => line.split(" ", 1)[0])).toEqual([
      "KAFKA_SSL_CA_LOCATION",
      "KAFKA_SSL_CERTIFICATE_LOCATION",
      "KAFKA_SSL_KEY_LOCATION",
    ]);
  });

  it("name a file of authorities that has none", () => {
    const file = join(dir, "ca.pem");
    writeFileSync(file, "no certificate\n");
    const error = refusal(() => securityOf({ KAFKA_SECURITY_PROTOCOL: "SSL", KAFKA_SSL_CA_LOCATION: file }));
    expect(error.message).toMatch(/^KAFKA_SSL_CA_LOCATION names a file that is of no use: /);
  });
});

describe("an error of the first connection", () => {
  const failure = (fields: object): Error => Object.assign(new Error("in the broker's words"), fields);
  const fieldOf = (error: Error): string | undefined => kafkaRefusal(error, ["k:9092"])?.field;

  it("that settings cause names the setting", () => {
    expect(fieldOf(failure({ code: "SELF_SIGNED_CERT_IN_CHAIN" }))).toBe("KAFKA_SSL_CA_LOCATION");
    expect(fieldOf(failure({ code: "ERR_TLS_CERT_ALTNAME_INVALID" }))).toBe("KAFKA_SSL_CA_LOCATION");
    expect(fieldOf(failure({ code: "CERT_HAS_EXPIRED" }))).toBe("KAFKA_SSL_CA_LOCATION");
    for (const code of [
      "ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE",
      "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN",
      "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
      "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    ])
      expect(fieldOf(failure({ code })), code).toBe("KAFKA_SSL_CERTIFICATE_LOCATION");
    expect(fieldOf(failure({ code: "ERR_SSL_WRONG_VERSION_NUMBER" }))).toBe("KAFKA_SECURITY_PROTOCOL");
    expect(fieldOf(failure({ name: "KafkaJSSASLAuthenticationError" }))).toBe("KAFKA_SASL_PASSWORD");
    expect(fieldOf(failure({ type: "UNSUPPORTED_SASL_MECHANISM" }))).toBe("KAFKA_SASL_MECHANISM");
    expect(fieldOf(new Error("outer", { cause: failure({ code: "SELF_SIGNED_CERT_IN_CHAIN" }) }))).toBe(
      "KAFKA_SSL_CA_LOCATION",
    );
    expect(kafkaRefusal(failure({ type: "ILLEGAL_SASL_STATE" }), ["k:1", "l:2"])?.message).toBe(
      "Kafka at k:1, l:2 refuses the connection: in the broker's words\nKAFKA_SECURITY_PROTOCOL is not what the brokers speak at this port",
    );
  });

  it("that may pass is none of theirs", () => {
    for (const code of [
      "ECONNREFUSED",
      "ECONNRESET",
      "ETIMEDOUT",
      "ENOTFOUND",
      "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
    ])
      expect(fieldOf(failure({ code, name: "KafkaJSConnectionError" })), code).toBeUndefined();
  });
});
