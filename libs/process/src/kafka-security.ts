/** TLS and SASL of the brokers, from the settings that every process reads. */
import { readFileSync } from "node:fs";
import type { KafkajsBrokerOptions } from "@sluice/broker";
import type { CommonConfig } from "@sluice/config";

type Security = Pick<KafkajsBrokerOptions, "ssl" | "sasl">;

export function kafkaSecurity(config: CommonConfig): Security {
  const { securityProtocol, saslUsername: username, saslPassword: password, sslCaFile } = config;
  const ssl: Security = securityProtocol.endsWith("SSL")
    ? { ssl: sslCaFile === "" ? true : { ca: [readFileSync(sslCaFile, "utf8")] } }
    : {};
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
