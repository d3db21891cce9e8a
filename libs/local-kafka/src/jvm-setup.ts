/** What a local JVM needs, found or fetched. */
import { ensureJars } from "./jars.ts";
import { findJava } from "./java.ts";
import type { JvmSetup } from "./jvm-broker.ts";
import type { PinnedKafka } from "./pinned-kafka.ts";

export interface JvmNeeds {
  readonly dataDir: string;
  /** Where the jars lie; the data folder itself where omitted. */
  readonly jarsHome?: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
  readonly pinned: PinnedKafka;
}

export type JvmPreparation =
  | { readonly kind: "ready"; readonly setup: JvmSetup }
  | { readonly kind: "failed"; readonly reason: string };

export async function prepareJvm(needs: JvmNeeds): Promise<JvmPreparation> {
  const java = await findJava(needs.env);
  if (java.kind === "absent") return { kind: "failed", reason: java.reason };
  const jars = await ensureJars(needs.pinned, needs.jarsHome ?? needs.dataDir, needs.env, needs.log);
  if (jars.kind === "failed") return jars;
  const { dataDir, env } = needs;
  return {
    kind: "ready",
    setup: { java: java.file, javaVersion: java.version, jarsDir: jars.directory, dataDir, env },
  };
}
