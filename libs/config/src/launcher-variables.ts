/** What the commands and the search for a Kafka read beside the settings of services. */
export const launcherVariables: Readonly<Record<string, string>> = {
  SLUICE_DATA_DIR:
    "Folder of the local Kafka, of locks on jobs and of logs; unset: `.sluice` in the repository.",
  SLUICE_KAFKA_IMAGE:
    "Container image that is started as Kafka; unset: `apache/kafka` in the pinned version.",
  SLUICE_FAILPOINTS:
    "For tests: failpoints by instance, for the first life of each, as with SLUICE_FAILPOINT.",
};
