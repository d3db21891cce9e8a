/** TLS and SASL of the brokers, from the settings of every service. */
import { readFileSync } from "node:fs";
import type { KafkajsBrokerOptions } from "@sluice/broker";
import type { CommonConfig } from "@sluice/config";

type Security = Pick<KafkajsBrokerOptions, "ssl" | "sasl">;

const mechanisms = {
  PLAIN: "plain",
  "SCRAM-SHA-256": "scram-sha-256",
  "SCRAM-SHA-512": "scram-sha-512",
} as const;

export function kafkaSecurity(config: CommonConfig): Security {
  const {
    securityProtocol,
    saslMechanism,
    saslUsername: username,
    saslPassword: password,
    sslCaFile,
  } = config;
  const isEncrypted = securityProtocol.endsWith("SSL");
  const ssl = isEncrypted ? { ssl: sslCaFile === "" || { ca: [readFileSync(sslCaFile, "utf8")] } } : {};
  if (!securityProtocol.startsWith("SASL")) return ssl;
  const login = { username, password };
  return { ...ssl, sasl: { mechanism: mechanisms[saslMechanism], ...login } as Security["sasl"] } as Security;
}
