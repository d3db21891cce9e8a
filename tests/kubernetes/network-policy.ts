/** What the network policies of a kustomization let through, by the rules of networking.k8s.io/v1. */
import { BlockList, isIP } from "node:net";
import { isSubset, ofKind, type Labels, type Manifest } from "./manifests.ts";

interface Selector {
  readonly matchLabels?: Labels;
}

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: { readonly cidr: string; readonly except?: readonly string[] };
}

interface Port {
  readonly port: number | string;
  readonly endPort?: number;
  readonly protocol?: string;
}

interface Policy {
  readonly podSelector: Selector;
  readonly policyTypes: readonly string[];
  readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly Port[] }[];
  readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly Port[] }[];
}

export interface Pod {
  readonly labels: Labels;
  readonly namespace: string;
  /** Named ports. */
  readonly ports?: Readonly<Record<string, number>>;
}

/** A pod, or an address outside of the cluster. */
export type End = Pod | string;

export interface Target {
  readonly end: End;
  readonly port: number;
  readonly protocol?: "TCP" | "UDP";
}

export class Network {
  readonly #policies: readonly (Manifest & { readonly spec: Policy })[];

  constructor(manifests: readonly Manifest[]) {
    this.#policies = ofKind<Policy>(manifests, "NetworkPolicy");
  }

  /** Both ends have to allow a connection; an end that no policy selects allows all. */
  allows(from: End, to: Target): boolean {
    return this.#leaves(from, to) && this.#enters(from, to);
  }

  #leaves(from: End, to: Target): boolean {
    const policies = this.#selecting(from, "Egress");
    const named = typeof to.end === "string" ? {} : (to.end.ports ?? {});
    return (
      policies === null ||
      policies.some(({ metadata, spec }) =>
        (spec.egress ?? []).some(
          (rule) => fits(rule.to, to.end, metadata.namespace ?? "") && fitsPort(rule.ports, to, named),
        ),
      )
    );
  }

  #enters(from: End, to: Target): boolean {
    const policies = this.#selecting(to.end, "Ingress");
    const named = typeof to.end === "string" ? {} : (to.end.ports ?? {});
    return (
      policies === null ||
      policies.some(({ metadata, spec }) =>
        (spec.ingress ?? []).some(
          (rule) => fits(rule.from, from, metadata.namespace ?? "") && fitsPort(rule.ports, to, named),
        ),
      )
    );
  }

  #selecting(end: End, type: string) {
    if (typeof end === "string") return null;
    const found = this.#policies.filter(
      ({ metadata, spec }) =>
        metadata.namespace === end.namespace &&
        spec.policyTypes.includes(type) &&
        selects(spec.podSelector, end.labels),
    );
    return found.length === 0 ? null : found;
  }
}

const selects = ({ matchLabels = {} }: Selector, labels: Labels): boolean => isSubset(matchLabels, labels);

function fits(peers: readonly Peer[] | undefined, end: End, namespace: string): boolean {
  if (peers === undefined) return true;
  return peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (typeof end === "string") return ipBlock !== undefined && isInside(ipBlock, end);
    if (ipBlock !== undefined) return false;
    const inNamespace =
      namespaceSelector === undefined
        ? end.namespace === namespace
        : selects(namespaceSelector, { "kubernetes.io/metadata.name": end.namespace });
    return inNamespace && (podSelector === undefined || selects(podSelector, end.labels));
  });
}

function isInside(
  { cidr, except = [] }: { readonly cidr: string; readonly except?: readonly string[] },
  address: string,
) {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  return listOf([cidr]).check(address, family) && !listOf(except).check(address, family);
}

const lists = new WeakMap<readonly string[], BlockList>();

function listOf(blocks: readonly string[]): BlockList {
  const known = lists.get(blocks);
  if (known !== undefined) return known;
  const list = new BlockList();
  lists.set(blocks, list);
  for (const block of blocks) {
    const [address = "", bits] = block.split("/");
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? "ipv6" : "ipv4");
  }
  return list;
}

function fitsPort(
  ports: readonly Port[] | undefined,
  { port, protocol = "TCP" }: Target,
  named: Readonly<Record<string, number>>,
): boolean {
  if (ports === undefined) return true;
  return ports.some((each) => {
    const first = typeof each.port === "string" ? named[each.port] : each.port;
    return (
      first !== undefined &&
      (each.protocol ?? "TCP") === protocol &&
      port >= first &&
      port <= (each.endPort ?? first)
    );
  });
}
