/** What the commands and the search for a Kafka read beside the settings of services. */
export const launcherVariables: Readonly<Record<string, string>> = {
  SLUICE_DATA_DIR:
    "Folder of the local Kafka, of locks on jobs and of logs; unset: `.sluice` in the repository.",
  SLUICE_KAFKA_IMAGE:
    "Container image that is started as Kafka; unset: `apache/kafka` in the pinned version.",
  SLUICE_BASE_IMAGE:
    "Container image that docker compose builds the services on; unset: Node in the pinned version.",
  SLUICE_PROMETHEUS_IMAGE: "Container image that docker compose starts as Prometheus.",
  SLUICE_GRAFANA_IMAGE: "Container image that docker compose starts as Grafana.",
  SLUICE_BIND:
    "Address that docker compose binds the ports of the API and of Grafana to; unset: `127.0.0.1`.",
  SLUICE_DOCKER_COMPOSE: "For tests: the program that is run as `docker compose`.",
  SLUICE_FAILPOINTS:
    "For tests: failpoints by instance, for the first life of each, as with SLUICE_FAILPOINT.",
};
