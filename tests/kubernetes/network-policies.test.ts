import { classifyAddress } from "@sluice/web";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { build, ofKind, parseManifests, workloadsOf, type Manifest } from "./manifests.ts";
import { Network, type Pod } from "./network-policy.ts";
import { kubernetesTools, type Tools } from "./tools.ts";

const tools = kubernetesTools();

const pod = (namespace: string, labels: Record<string, string> = {}): Pod => ({ namespace, labels });
const dns = pod("kube-system", { "k8s-app": "kube-dns" });
const strimzi = pod("kafka", { "app.kubernetes.io/name": "kafka", "strimzi.io/cluster": "crawl" });
const website = "93.184.215.14";

describe.skipIf("missing" in tools).each(["base", "overlays/dev", "overlays/production"])(
  "the network policies of %s",
  (folder) => {
    let network = new Network([]);
    const pods = new Map<string, Pod>();

    beforeAll(() => {
      const manifests: readonly Manifest[] = parseManifests(build(tools as Tools, folder));
      network = new Network(manifests);
      for (const { metadata, spec } of workloadsOf(manifests)) {
        const ports = spec.template.spec.containers.flatMap((each) => each.ports ?? []);
        pods.set(metadata.name, {
          namespace: metadata.namespace ?? "",
          labels: spec.template.metadata.labels,
          ports: Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort])),
        });
      }
    });

    const named = (name: string): Pod => {
      const found = pods.get(name);
      if (found === undefined) throw new Error(`no pods ${name}`);
      return found;
    };
    const ours = (): readonly string[] => [...pods.keys()].filter((name) => name !== "kafka");

    test("select pods that there are", () => {
      for (const { spec, metadata } of ofKind<{ podSelector: { matchLabels?: Record<string, string> } }>(
        parseManifests(build(tools as Tools, folder)),
        "NetworkPolicy",
      )) {
        const wanted = Object.entries(spec.podSelector.matchLabels ?? {});
        const found = [...pods.values()].filter(({ labels }) =>
          wanted.every(([key, value]) => labels[key] === value),
        );
        expect(found.length, metadata.name).toBeGreaterThan(0);
      }
    });

    test("let all pods of ours ask for names and reach Kafka in any namespace", () => {
      const kafka = pods.get("kafka") ?? strimzi;
      for (const name of ours()) {
        expect(network.allows(named(name), { end: dns, port: 53, protocol: "UDP" }), name).toBe(true);
        expect(network.allows(named(name), { end: kafka, port: 9092 }), name).toBe(true);
        expect(network.allows(named(name), { end: strimzi, port: 9093 }), name).toBe(true);
        expect(network.allows(named(name), { end: strimzi, port: 22 }), name).toBe(false);
        expect(network.allows(named(name), { end: pod("kube-system"), port: 443 }), name).toBe(false);
        expect(network.allows(named(name), { end: "169.254.169.254", port: 80 }), name).toBe(false);
      }
    });

    test("let only fetchers out to the internet, on any port", () => {
      for (const name of ours()) {
        expect(network.allows(named(name), { end: website, port: 443 }), name).toBe(name === "fetcher");
        expect(network.allows(named(name), { end: website, port: 8080 }), name).toBe(name === "fetcher");
        expect(network.allows(named(name), { end: website, port: 53, protocol: "UDP" }), name).toBe(false);
      }
    });

    test("let no pod of ours reach another but the api, and that only on its port", () => {
      for (const from of ours()) {
        for (const to of ours()) {
          // The other pods ask for nothing of the api's either: nothing lets them out to it.
          expect(network.allows(named(from), { end: named(to), port: 9464 }), `${from} ${to}`).toBe(false);
          expect(network.allows(named(from), { end: named(to), port: 7400 }), `${from} ${to}`).toBe(false);
        }
      }
    });

    test("let Prometheus in to metrics, and nobody else in to anything", () => {
      for (const name of ours().filter((each) => each !== "topics")) {
        expect(network.allows(pod("monitoring"), { end: named(name), port: 9464 }), name).toBe(true);
        expect(network.allows(pod("default"), { end: named(name), port: 9464 }), name).toBe(false);
        expect(network.allows(pod("monitoring"), { end: named(name), port: 9229 }), name).toBe(false);
        expect(network.allows(website, { end: named(name), port: 9464 }), name).toBe(false);
        expect(network.allows(pod("default"), { end: named(name), port: 7400 }), name).toBe(false);
      }
    });

    test("keep fetchers from every address that the fetcher itself refuses, and from few others", () => {
      const byte = fc.nat(255);
      const edges = fc.constantFrom(
        "9.255.255.255",
        "10.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
      );
      const ipv4 = fc.tuple(byte, byte, byte, byte).map((parts) => parts.join("."));
      const blocks = fc.constantFrom(
        "10",
        "100.64",
        "127",
        "169.254",
        "172.31",
        "192.0.0",
        "192.168",
        "198.18",
        "224",
      );
      const near = fc.tuple(blocks, byte, byte, byte).map(([block, ...parts]) => {
        const known = block.split(".");
        return [...known, ...parts.slice(0, 4 - known.length)].join(".");
      });
      const group = fc.nat(0xffff).map((each) => each.toString(16));
      const start = fc.constantFrom(
        "2001",
        "2001:db8",
        "2002",
        "2606:4700",
        "3fff",
        "64:ff9b",
        "fd00",
        "fe80",
        "fc00",
        "::ffff",
      );
      const ipv6 = fc
        .tuple(start, group, group)
        .map(([first, second, third]) =>
          first.startsWith("::") ? `${first}:${second}:${third}` : `${first}::${second}:${third}`,
        );
      fc.assert(
        fc.property(fc.oneof(ipv4, near, edges, ipv6), (address) => {
          const isOpen = network.allows(named("fetcher"), { end: address, port: 443 });
          const { allowed } = classifyAddress(address, []);
          if (!allowed) expect(isOpen, address).toBe(false);
          // Of IETF's own block a few are global; of NAT64, mapped and 6to4 addresses those of global ones.
          else if (!/^(2001:|2002:|64:ff9b:|::ffff:|192\.0\.0\.)/.test(address))
            expect(isOpen, address).toBe(true);
        }),
        { numRuns: 2000 },
      );
    });
  },
);
