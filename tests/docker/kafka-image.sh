#!/bin/sh
# Builds an image that can stand in for apache/kafka where no image registry can be reached:
#   tests/docker/kafka-image.sh BASE_IMAGE TAG [FOLDER_OF_JARS]
# and is then used with SLUICE_KAFKA_IMAGE=TAG. BASE_IMAGE has Java 17 or newer and bash; base-image.sh makes one. The
# jars are those of deploy/kafka; without FOLDER_OF_JARS Maven fetches them.
#
# As in apache/kafka: the same start class reads KAFKA_* and formats the storage, the user is 1000, Kafka is process 1,
# and the volumes and paths are the same. Unlike it: there are no command line tools in /opt/kafka/bin.
set -eu

base_image=${1:?"usage: $0 BASE_IMAGE TAG [FOLDER_OF_JARS]"}
tag=${2:?"usage: $0 BASE_IMAGE TAG [FOLDER_OF_JARS]"}
pinned=$(CDPATH='' cd -- "$(dirname -- "$0")/../../deploy/kafka" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/libs"

if [ $# -ge 3 ]; then
  cp -- "$3"/*.jar "$context/libs/"
else
  mvn -B -q -f "$pinned/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$context/libs"
fi
(cd "$context/libs" && sha256sum --check --strict --quiet "$pinned/jars.sha256")

cat > "$context/run" <<'RUN'
#!/bin/sh
set -eu
# Any fixed id: one broker never meets another cluster.
export CLUSTER_ID="${CLUSTER_ID:-c2x1aWNlLXRlc3QtaW1hZw}"
export CLASSPATH='/opt/kafka/libs/*'
# Formatting what is formatted fails, and is what every start but the first one does.
said=$(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC kafka.docker.KafkaDockerWrapper setup \
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \
  --final-configs-dir /opt/kafka/config 2>&1) || case $said in
  *"already formatted"*) ;;
  *) printf '%s\n' "$said" && exit 1 ;;
esac
exec java ${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} ${KAFKA_OPTS:-} \
  -Dlog4j2.configurationFile=/etc/kafka/docker/console.properties kafka.Kafka /opt/kafka/config/server.properties
RUN

cat > "$context/console.properties" <<'LOGGING'
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
LOGGING

cat > "$context/log4j2.yaml" <<'LOGGING'
Configuration:
  Appenders:
    Console: { name: STDOUT }
  Loggers:
    Root: { level: INFO, AppenderRef: [{ ref: STDOUT }] }
    Logger: []
LOGGING

cat > "$context/Dockerfile" <<'DOCKERFILE'
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN mkdir -p /opt/kafka/config /etc/kafka/secrets /var/lib/kafka/data /mnt/shared/config \
  && chown -R 1000:0 /opt/kafka /etc/kafka /var/lib/kafka /mnt/shared
COPY libs /opt/kafka/libs
COPY console.properties /etc/kafka/docker/console.properties
COPY log4j2.yaml /etc/kafka/docker/log4j2.yaml
COPY log4j2.yaml /etc/kafka/docker/tools-log4j2.yaml
COPY run /etc/kafka/docker/run
RUN chmod 0755 /etc/kafka/docker/run
EXPOSE 9092
USER 1000
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
CMD ["/etc/kafka/docker/run"]
DOCKERFILE

docker build --quiet --tag "$tag" --build-arg "BASE_IMAGE=$base_image" "$context"
