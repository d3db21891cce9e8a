/** What services are told of a Kafka that was started here. */
import { commonSettings, fileVariable, type Setting } from "@sluice/config";

/** It has no TLS and no passwords: those that the environment has for another one would be refused as unused. */
export const plaintextEnv: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.values<Setting>(commonSettings)
      .filter(({ env }) => /^KAFKA_(SASL|SSL)_/.test(env))
      .flatMap(({ env, secret }) => (secret === true ? [env, fileVariable(env)] : [env]))
      .map((name) => [name, ""]),
  ),
  KAFKA_SECURITY_PROTOCOL: "PLAINTEXT",
};
