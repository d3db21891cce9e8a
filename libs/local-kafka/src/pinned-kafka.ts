/** Which Apache Kafka is used where we start one, and where its committed files lie. */
import { readFileSync } from "node:fs";
import path from "node:path";

const directory = path.resolve(import.meta.dirname, "../../../deploy/kafka");

export interface PinnedKafka {
  readonly version: string;
  /** Maven project that names the jars. */
  readonly pomFile: string;
  /** Checksums of the jars, in the format of sha256sum. */
  readonly sumsFile: string;
  /** Container image of the same version. */
  readonly image: string;
}

/** Reads the version from the Maven project, the one place that pins it. Throws where it has none. */
export function pinnedKafka(): PinnedKafka {
  const pomFile = path.join(directory, "pom.xml");
  const version = /<kafka\.version>([^<]+)<\/kafka\.version>/.exec(readFileSync(pomFile, "utf8"))?.[1];
  if (version === undefined) throw new Error(`${pomFile} has no property kafka.version`);
  return {
    version,
    pomFile,
    sumsFile: path.join(directory, "jars.sha256"),
    image: `apache/kafka:${version}`,
  };
}
