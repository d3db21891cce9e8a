/** What the settings of TLS and SASL mean to each other: one that would be ignored, or is missing, is told. */

type Others = Readonly<Record<string, unknown>>;

const protocolOf = ({ securityProtocol }: Others): string =>
  typeof securityProtocol === "string" ? securityProtocol : "";

/** Of the user and the password: with SASL both are needed, without it neither would be used. */
export function needsSasl(value: string, others: Others): string | null {
  const protocol = protocolOf(others);
  if (protocol.startsWith("SASL"))
    return value === "" ? `KAFKA_SECURITY_PROTOCOL ${protocol} needs it` : null;
  return value === "" ? null : unused(protocol, "SASL_SSL");
}

/** Of files and passwords of TLS: without it none would be used. */
export function needsSsl(value: string, others: Others): string | null {
  const protocol = protocolOf(others);
  return value === "" || protocol.endsWith("SSL") ? null : unused(protocol, "SSL or SASL_SSL");
}

/** Of the client's certificate and its key: one is of no use without the other. */
export function needsCertificateKey(file: string, other: unknown): string | null {
  return file === "" && typeof other === "string" && other !== ""
    ? "a client's certificate and its key go together"
    : null;
}

export function sparesKeyPassword(password: string, keyFile: unknown): string | null {
  return password !== "" && keyFile === ""
    ? "there is no KAFKA_SSL_KEY_LOCATION that it could decrypt"
    : null;
}

/** An unknown protocol is a problem of its own, and told as that. */
function unused(protocol: string, needed: string): string | null {
  return protocol === ""
    ? null
    : `KAFKA_SECURITY_PROTOCOL is ${protocol}, which does not use it; set ${needed}`;
}
