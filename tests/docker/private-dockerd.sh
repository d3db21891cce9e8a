#!/bin/sh
# A Docker engine of its own for the tests, where docker.io is installed and no engine runs (root only):
#   tests/docker/private-dockerd.sh start FOLDER     prints the line that sets DOCKER_HOST
#   tests/docker/private-dockerd.sh stop FOLDER      ends the engine and removes FOLDER with all images
# It leaves the machine's firewall alone. So containers reach each other and their published ports can be reached on
# loopback, but they don't reach other machines; a build that has to runs with --network host.
set -eu

usage="usage: $0 start|stop FOLDER"
action=${1:?"$usage"}
folder=${2:?"$usage"}
# A prefix length of its own: 172.17.0.0/16 may be another engine's.
bridge_address=172.30.255.1/24
bridge=sluicetest0

start() {
  mkdir -p "$folder"
  ip link show "$bridge" >/dev/null 2>&1 || ip link add "$bridge" type bridge
  ip address replace "$bridge_address" dev "$bridge"
  ip link set "$bridge" up
  dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/dockerd.pid" --bridge "$bridge" --iptables=false --ip-forward=false --ip-masq=false \
    >"$folder/dockerd.log" 2>&1 &
  for _ in $(seq 100); do
    if DOCKER_HOST="unix://$folder/docker.sock" docker info --format '{{.ServerVersion}}' 2>/dev/null | grep -q '^[0-9]'
    then
      echo "export DOCKER_HOST=unix://$folder/docker.sock"
      exit 0
    fi
    kill -0 "$!" 2>/dev/null || break
    sleep 0.2
  done
  tail -n 5 "$folder/dockerd.log" >&2
  exit 1
}

stop() {
  if [ -e "$folder/dockerd.pid" ]; then
    pid=$(cat "$folder/dockerd.pid")
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  fi
  ip link delete "$bridge" 2>/dev/null || true
  # The engine leaves this one mounted.
  umount "$folder/exec/netns/default" 2>/dev/null || true
  rm -rf "$folder/data" "$folder/exec" "$folder/docker.sock" "$folder/dockerd.pid" "$folder/dockerd.log"
  rmdir "$folder" 2>/dev/null || true
}

case $action in
  start) start ;;
  stop) stop ;;
  *) echo "$usage" >&2 && exit 2 ;;
esac
