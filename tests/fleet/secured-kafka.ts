import { homedir } from "node:os";
import { join } from "node:path";
import { freePort, LocalKafka } from "@sluice/local-kafka";
import { Authority, keyStore } from "./certificates.ts";

export interface SecuredKafka {
  readonly kafka: LocalKafka;
  readonly authority: Authority;
  /** `host:port` of each listener. */
  readonly plaintext: string;
  /** SASL_SSL with PLAIN and both SCRAMs. */
  readonly login: string;
  /** SASL_SSL with PLAIN alone. */
  readonly plainLogin: string;
  /** SSL. */
  readonly tls: string;
  /** SSL that asks for the client's certificate. */
  readonly mutual: string;
}

/** An Apache Kafka in a JVM with a listener for each way to protect one. */
export async function startSecuredKafka(dir: string, user: string, password: string): Promise<SecuredKafka> {
  const authority = new Authority(dir, "authority");
  const server = authority.sign("server", "IP:127.0.0.1,DNS:localhost");
  const listeners = [
    { name: "LOGIN", protocol: "SASL_SSL", port: await freePort(null) },
    { name: "PLAINLOGIN", protocol: "SASL_SSL", port: await freePort(null) },
    { name: "TLS", protocol: "SSL", port: await freePort(null) },
    { name: "MUTUAL", protocol: "SSL", port: await freePort(null) },
  ] as const;
  const modules = "org.apache.kafka.common.security";
  const plain = `${modules}.plain.PlainLoginModule required user_${user}="${password}";`;
  const scram = `${modules}.scram.ScramLoginModule required;`;
  const kafka = await LocalKafka.start({
    dataDir: join(dir, "kafka"),
    jarsHome: join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sluice"),
    env: process.env,
    log: (line) => process.stderr.write(`${line}\n`),
    security: {
      listeners,
      settings: {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keyStore(server, authority),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.certificate,
        "listener.name.mutual.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.login.plain.sasl.jaas.config": plain,
        "listener.name.login.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.login.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.plainlogin.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plainlogin.plain.sasl.jaas.config": plain,
      },
      scram: ["SCRAM-SHA-256", "SCRAM-SHA-512"].map((kind) => `${kind}=[name=${user},password=${password}]`),
    },
  });
  const at = (name: string): string =>
    `127.0.0.1:${listeners.find((each) => each.name === name)?.port ?? kafka.port}`;
  return {
    kafka,
    authority,
    plaintext: at("PLAINTEXT"),
    login: at("LOGIN"),
    plainLogin: at("PLAINLOGIN"),
    tls: at("TLS"),
    mutual: at("MUTUAL"),
  };
}
