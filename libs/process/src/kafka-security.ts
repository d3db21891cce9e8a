/** TLS and SASL of the brokers, from the settings that every process reads. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { KafkajsBrokerOptions } from "@sluice/broker";
import { commonSettings, type CommonConfig } from "@sluice/config";
import { messageOf, SluiceError } from "@sluice/errors";

type Security = Pick<KafkajsBrokerOptions, "ssl" | "sasl">;

/** @throws SluiceError SLUICE_CONFIG_INVALID that names every file that can't be read */
export function kafkaSecurity(config: CommonConfig): Security {
  const { securityProtocol, saslUsername: username, saslPassword: password } = config;
  const ssl: Security = securityProtocol.endsWith("SSL") ? { ssl: tlsOptions(config) } : {};
  if (!securityProtocol.startsWith("SASL")) return ssl;
  const login = { username, password };
  switch (config.saslMechanism) {
    case "PLAIN":
      return { ...ssl, sasl: { mechanism: "plain", ...login } };
    case "SCRAM-SHA-256":
      return { ...ssl, sasl: { mechanism: "scram-sha-256", ...login } };
    case "SCRAM-SHA-512":
      return { ...ssl, sasl: { mechanism: "scram-sha-512", ...login } };
    default:
      return config.saslMechanism satisfies never;
  }
}

const fileSettings = ["sslCaFile", "sslCertificateFile", "sslKeyFile"] as const;
type FileSetting = (typeof fileSettings)[number];

function tlsOptions(config: CommonConfig): NonNullable<Security["ssl"]> {
  const texts = new Map<FileSetting, string>();
  const problems: { readonly variable: string; readonly why: string }[] = [];
  for (const name of fileSettings) {
    if (config[name] === "") continue;
    try {
      texts.set(name, readFileSync(config[name], "utf8"));
    } catch (error) {
      problems.push({ variable: commonSettings[name].env, why: messageOf(error) });
    }
  }
  const [first] = problems;
  if (first !== undefined) {
    const lines = problems.map(({ variable, why }) => `${variable} names a file that can't be read: ${why}`);
    throw new SluiceError("SLUICE_CONFIG_INVALID", lines.join("\n"), { field: first.variable });
  }
  const [ca, cert, key] = fileSettings.map((name) => texts.get(name));
  const passphrase = config.sslKeyPassword;
  if (ca !== undefined) check("sslCaFile", () => new X509Certificate(ca));
  if (key !== undefined) check("sslKeyFile", () => createPrivateKey({ key, passphrase }));
  if (cert !== undefined && key !== undefined)
    check("sslCertificateFile", () => createSecureContext({ cert, key, passphrase }));
  return {
    ...(ca === undefined ? {} : { ca: [ca] }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(passphrase === "" ? {} : { passphrase }),
  };
}

/** What is wrong in a file shows here; a connection would fail with it again and again. */
function check(name: FileSetting, use: () => unknown): void {
  try {
    use();
  } catch (error) {
    const field = commonSettings[name].env;
    throw new SluiceError(
      "SLUICE_CONFIG_INVALID",
      `${field} names a file that is of no use: ${messageOf(error)}`,
      {
        cause: error,
        field,
      },
    );
  }
}
