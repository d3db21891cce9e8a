#!/usr/bin/env bash
# Builds a real Kubernetes from its Go modules, for machines that can reach no image registry:
#   tests/kubernetes/cluster/build.sh FOLDER
# gives FOLDER/bin with etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet, kube-proxy, kubectl,
# the plugins of CNI and `pause`, the process that holds a pod's namespaces. Ten to twenty minutes on two cores.
set -euo pipefail
kubernetes=1.34.4
etcd=3.6.4
plugins=1.7.1

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?"usage: $0 FOLDER"}
mkdir -p "$folder/bin" "$folder/kubernetes" "$folder/etcd" "$folder/cni" "$folder/pause"
folder=$(cd "$folder" && pwd)
bin=$folder/bin
export GOFLAGS='-mod=mod -buildvcs=false' GOWORK=off CGO_ENABLED=0

# A module's main package that can't be had by `go install MODULE@VERSION`, for its go.mod has `replace` lines or the
# version wanted differs: a module of our own requires it, and its go.sum is written as the build goes.
module() { # FOLDER MODULE VERSION
  printf 'module sluice.test/%s\n\ngo 1.24.0\n\nrequire %s v%s\n' "$(basename "$1")" "$2" "$3" >"$1/go.mod"
}

if [[ ! -x $bin/etcd ]]; then
  module "$folder/etcd" go.etcd.io/etcd/server/v3 "$etcd"
  (cd "$folder/etcd" && go build -o "$bin/etcd" -ldflags '-s -w' go.etcd.io/etcd/server/v3)
fi

if [[ ! -x $bin/bridge ]]; then
  module "$folder/cni" github.com/containernetworking/plugins "$plugins"
  for plugin in main/bridge main/loopback ipam/host-local meta/portmap; do
    (cd "$folder/cni" && go build -o "$bin/" -ldflags '-s -w' "github.com/containernetworking/plugins/plugins/$plugin")
  done
fi

if [[ ! -x $bin/pause ]]; then
  cat >"$folder/pause/main.go" <<'GO'
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
GO
  printf 'module sluice.test/pause\n\ngo 1.24.0\n' >"$folder/pause/go.mod"
  (cd "$folder/pause" && go build -o "$bin/pause" -ldflags '-s -w' .)
fi

if [[ ! -x $bin/kube ]]; then
  cp "$here/main.go" "$folder/kubernetes/main.go"
  module "$folder/kubernetes" k8s.io/kubernetes "$kubernetes"
  # Kubernetes is written in one repository and published as many modules: its own replace lines name folders.
  published=v0.${kubernetes#1.}
  source=$(GOFLAGS=-mod=mod go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
  sed -n 's#^\t*\(replace \)\{0,1\}\(k8s.io/[a-z0-9-]*\) => ./staging/.*#\2#p' "$source" | while read -r staged; do
    echo "replace $staged => $staged $published"
  done >>"$folder/kubernetes/go.mod"
  flags=
  for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=v$kubernetes -X $package.gitMajor=1 -X $package.gitMinor=34"
  done
  (cd "$folder/kubernetes" && go build -o "$bin/kube" -ldflags "-s -w$flags" .)
fi
for part in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
  ln -sf kube "$bin/$part"
done
