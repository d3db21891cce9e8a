#!/usr/bin/env bash
# A real Kubernetes of one node on this machine, in a network namespace of its own: nothing of it reaches the network
# of the machine, nor the other way round (root only; containerd, runc, iptables of Debian; build.sh made FOLDER/bin).
#   tests/kubernetes/cluster/node.sh start FOLDER           ready when it returns
#   tests/kubernetes/cluster/node.sh images FOLDER TAR...   makes images that `docker save` wrote known to it
#   tests/kubernetes/cluster/node.sh run FOLDER COMMAND...  a command within its network, kubectl among them
#   tests/kubernetes/cluster/node.sh stop FOLDER            ends every process and pod; keeps FOLDER/bin
set -euo pipefail
usage="usage: $0 start|images|run|stop FOLDER [...]"
action=${1:?"$usage"}
folder=${2:?"$usage"}
shift 2
folder=$(cd "$folder" && pwd)
bin=$folder/bin
state=$folder/state
network=sluice-kubernetes
node_address=10.200.0.1
pods=10.201.0.0/16
cluster_services=10.202.0.0/24
socket=$state/containerd.sock
export KUBECONFIG=$state/kubeconfig

# Unlike `ip netns exec` this leaves the mounts alone, and with them the cgroups that containers need.
inside() { nsenter --net="/run/netns/$network" -- "$@"; }

launch() { # NAME COMMAND...
  local name=$1
  shift
  (exec nsenter --net="/run/netns/$network" -- setsid env PATH="$bin:$PATH" "$@") \
    >"$state/$name.log" 2>&1 </dev/null &
  echo "$!" >"$state/$name.pid"
}

until_true() { # SECONDS WHAT COMMAND...
  local seconds=$1 what=$2
  shift 2
  for _ in $(seq $((seconds * 2))); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.5
  done
  echo "$what: not within $seconds s; see $state" >&2
  exit 1
}

make_network() {
  ip netns add "$network"
  inside ip link set lo up
  # Something with an address and a default route: what a node thinks of as its way out. It leads nowhere.
  inside ip link add outside type veth peer name nowhere
  inside ip link set nowhere up
  inside ip address add "$node_address/24" dev outside
  inside ip link set outside up
  inside ip route add default via 10.200.0.254
  inside sysctl -qw net.ipv4.ip_forward=1
  # Connections of pods to services pass the bridge, where kube-proxy's rules have to see them.
  inside sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true
}

write_config() {
  mkdir -p "$state/cni.d" "$state/kubelet" "$state/pki"
  local token
  token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  printf '%s,admin,admin,"system:masters"\n' "$token" >"$state/tokens.csv"
  openssl genrsa -out "$state/pki/accounts.key" 2048 2>/dev/null
  cat >"$KUBECONFIG" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{ name: test, cluster: { server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true } }]
users: [{ name: admin, user: { token: "$token" } }]
contexts: [{ name: test, context: { cluster: test, user: admin } }]
current-context: test
CONFIG
  cat >"$state/containerd.toml" <<CONFIG
version = 2
root = "$state/containerd"
state = "$state/containerd-run"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$bin"
    conf_dir = "$state/cni.d"
CONFIG
  cat >"$state/cni.d/10-bridge.conflist" <<CONFIG
{ "cniVersion": "0.4.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "$state/addresses", "ranges": [[{ "subnet": "10.201.0.0/24" }]],
      "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
CONFIG
  cat >"$state/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://$socket
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [10.202.0.10]
resolvConf: $state/resolv.conf
podLogsDir: $state/pod-logs
volumePluginDir: $state/volume-plugins
authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1% }
shutdownGracePeriod: 0s
CONFIG
  echo "nameserver $node_address" >"$state/resolv.conf"
}

# An image with one program, as `docker save` would write it.
write_pause_image() {
  local image=$state/pause
  mkdir -p "$image/layer"
  tar -C "$bin" -cf "$image/layer/layer.tar" --owner 0 --group 0 pause
  local layer
  layer=$(sha256sum "$image/layer/layer.tar" | cut -d' ' -f1)
  printf '{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/pause"],"User":"65535"},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    "$layer" >"$image/config.json"
  printf '[{"Config":"config.json","RepoTags":["localhost/pause:1"],"Layers":["layer/layer.tar"]}]' >"$image/manifest.json"
  tar -C "$image" -cf "$state/pause.tar" manifest.json config.json layer
}

containers() { ctr --address "$socket" --namespace k8s.io "$@"; }

start() {
  [[ ! -e $state ]] || { echo "$state is there; stop it first" >&2 && exit 1; }
  mkdir -p "$state"
  make_network
  write_config
  launch etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
  launch containerd containerd --config "$state/containerd.toml"
  launch apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --secure-port 6443 \
    --advertise-address "$node_address" --cert-dir "$state/pki" --service-cluster-ip-range "$cluster_services" \
    --kubelet-preferred-address-types InternalIP --token-auth-file "$state/tokens.csv" --authorization-mode Node,RBAC \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$state/pki/accounts.key" \
    --service-account-signing-key-file "$state/pki/accounts.key"
  until_true 120 'the API server' inside "$bin/kubectl" get --raw /readyz
  until_true 30 containerd containers version
  write_pause_image
  containers images import "$state/pause.tar" >/dev/null
  launch controllers kube-controller-manager --kubeconfig "$KUBECONFIG" --leader-elect=false \
    --service-account-private-key-file "$state/pki/accounts.key" --root-ca-file "$state/pki/apiserver.crt" \
    --allocate-node-cidrs --cluster-cidr "$pods" --service-cluster-ip-range "$cluster_services"
  launch scheduler kube-scheduler --kubeconfig "$KUBECONFIG" --leader-elect=false
  launch proxy kube-proxy --kubeconfig "$KUBECONFIG" --hostname-override node --proxy-mode iptables \
    --cluster-cidr "$pods" --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 \
    --conntrack-tcp-timeout-close-wait 0
  launch kubelet kubelet --kubeconfig "$KUBECONFIG" --config "$state/kubelet.yaml" --hostname-override node \
    --node-ip "$node_address" --root-dir "$state/kubelet" --cert-dir "$state/kubelet-pki"
  until_true 120 'the node' inside "$bin/kubectl" wait --for condition=Ready node/node --timeout 1s
}

import() {
  for tar in "$@"; do containers images import "$tar" >/dev/null; done
  # As the manifests name them.
  for name in $(containers images list --quiet | sed -n 's#^docker.io/sluice-test/##p'); do
    case $name in
      kafka:*) containers images tag --force "docker.io/sluice-test/$name" "docker.io/${KAFKA_IMAGE:?}" >/dev/null ;;
      *) containers images tag --force "docker.io/sluice-test/$name" "docker.io/sluice/$name" >/dev/null ;;
    esac
  done
}

end() { # NAME
  local pid
  pid=$(cat "$state/$1.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 50); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.2
  done
  kill -KILL "$pid" 2>/dev/null || true
}

stop() {
  for name in kubelet proxy scheduler controllers; do end "$name"; done
  if [[ -S $socket ]]; then
    for task in $(timeout 10 ctr --address "$socket" --namespace k8s.io tasks list --quiet 2>/dev/null); do
      timeout 10 ctr --address "$socket" --namespace k8s.io tasks kill --signal SIGKILL "$task" 2>/dev/null || true
    done
    sleep 1
    for task in $(timeout 10 ctr --address "$socket" --namespace k8s.io tasks list --quiet 2>/dev/null); do
      timeout 10 ctr --address "$socket" --namespace k8s.io tasks delete --force "$task" >/dev/null 2>&1 || true
    done
  fi
  for name in apiserver containerd etcd; do end "$name"; done
  # Each pod has a process of containerd's that outlives it.
  for pid in $(pgrep -f "containerd-shim-runc-v2 .*-address $socket" || true); do kill -KILL "$pid" 2>/dev/null || true; done
  sed -n "s#^[^ ]* \($state/[^ ]*\) .*#\1#p" /proc/mounts | sort -r | while read -r place; do umount -l "$place" || true; done
  # The namespaces of pods outlive their pods where no kubelet is left to take them down.
  if [[ -e $state/containerd.toml ]]; then
    find /run/netns -name 'cni-*' -newer "$state/containerd.toml" -printf '%f\n' 2>/dev/null |
      while read -r name; do ip netns delete "$name" || true; done
  fi
  ip netns delete "$network" 2>/dev/null || true
  rm -rf "$state"
  for hierarchy in /sys/fs/cgroup/*/kubepods; do
    [[ -d $hierarchy ]] && find "$hierarchy" -depth -type d -exec rmdir {} \; 2>/dev/null || true
  done
}

case $action in
  start) start ;;
  images) import "$@" ;;
  run) inside env PATH="$bin:$PATH" "$@" ;;
  stop) stop ;;
  *) echo "$usage" >&2 && exit 2 ;;
esac
