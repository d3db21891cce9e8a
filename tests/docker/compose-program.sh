#!/bin/sh
# Builds `docker compose` from its Go modules, for machines without Docker that are to check docker-compose.yml with
# the real one; two to three minutes the first time. Prints the path of the program, for SLUICE_DOCKER_COMPOSE; with
# --path only that.
set -eu
version=v5.5.1
folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/docker-compose-$version
program=$folder/docker-compose

if [ "${1:-}" != --path ] && [ ! -x "$program" ]; then
  mkdir -p "$folder"
  # A module of its own that names it as a tool: `go install` refuses, for the module excludes versions of others.
  cat >"$folder/go.mod" <<EOF
module compose

go 1.26

tool github.com/docker/compose/v5/cmd

require github.com/docker/compose/v5 $version
EOF
  (
    cd "$folder"
    go build -mod=mod -o docker-compose.new github.com/docker/compose/v5/cmd
    mv docker-compose.new docker-compose
  ) >&2
fi
echo "$program"
