/** A broker's refusal in terms of our settings. */
import { refusalOf, type Refusal } from "@sluice/broker";
import { commonSettings } from "@sluice/config";
import { SluiceError } from "@sluice/errors";

type Field = keyof typeof commonSettings;

/** The setting to look at first, and what is to be said of it. */
const advice: Readonly<Record<Refusal["kind"], { readonly field: Field; readonly text: string }>> = {
  certificate: {
    field: "sslCaFile",
    text: "has to name the authority that signed the brokers' certificates, and KAFKA_BROKERS the names in them",
  },
  client_certificate: {
    field: "sslCertificateFile",
    text: "and KAFKA_SSL_KEY_LOCATION have to name a certificate that the brokers accept",
  },
  login: { field: "saslPassword", text: "or KAFKA_SASL_USERNAME is wrong" },
  mechanism: { field: "saslMechanism", text: "has to be one that the brokers offer" },
  protocol: { field: "securityProtocol", text: "is not what the brokers speak at this port" },
  session: {
    field: "sessionTimeoutMs",
    text: "has to lie between the brokers' group.min.session.timeout.ms (6000 by default) and group.max.session.timeout.ms",
  },
};

/** SLUICE_CONFIG_INVALID where brokers refuse what the settings say of TLS, SASL or the session; else undefined. */
export function kafkaRefusal(error: unknown, brokers: readonly string[]): SluiceError | undefined {
  const refusal = refusalOf(error);
  if (refusal === null) return undefined;
  const { field, text } = advice[refusal.kind];
  const { env } = commonSettings[field];
  return new SluiceError(
    "SLUICE_CONFIG_INVALID",
    `Kafka at ${brokers.join(", ")} refuses the ${refusal.kind === "session" ? "session" : "connection"}: ${refusal.message}\n${env} ${text}`,
    { cause: error, field: env },
  );
}
