import { commonSettings, fileVariable, settingsByService, type Setting } from "@sluice/config";
import { pinnedKafka } from "@sluice/local-kafka";
import { topicSpecs } from "@sluice/process";
import { defaultLayout } from "@sluice/records";
import { defaultLimits } from "@sluice/runtime";
import { metricDefinitions } from "@sluice/telemetry";
import { beforeAll, describe, expect, test } from "vitest";
import { filesOf, manifestOf, packages, read } from "../architecture/workspace.ts";
import {
  build,
  containersOf,
  isSubset,
  ofKind,
  parseManifests,
  variablesOf,
  workloadsOf,
  type Labels,
  type Manifest,
  type Workload,
} from "./manifests.ts";
import { kubernetesTools, type Tools } from "./tools.ts";

const { version } = manifestOf(".") as { version?: string };
const services = packages
  .filter(({ folder }) => folder.startsWith("services/"))
  .map(({ folder }) => folder.slice("services/".length));
const nameOf = ({ metadata }: Manifest): string => metadata.name;

/** Problems of the variables that a service is started with: unknown names and values that are not allowed. */
function problemsOf(service: string, variables: Labels): readonly string[] {
  const own =
    (settingsByService as Readonly<Record<string, Readonly<Record<string, Setting>>>>)[service] ?? {};
  const settings = [
    ...Object.values(commonSettings as Readonly<Record<string, Setting>>),
    ...Object.values(own),
  ];
  const known = new Map(
    settings.flatMap((each) => [each.env, ...(each.aliases ?? [])].map((name) => [name, each] as const)),
  );
  const files = new Set(settings.filter(({ secret }) => secret === true).map(({ env }) => fileVariable(env)));
  return Object.entries(variables).flatMap(([name, value]) => {
    const setting = known.get(name);
    if (setting === undefined) return files.has(name) ? [] : [`${service}: ${name} is no setting of it`];
    const allowed = value === "" || setting.schema.safeParse(value).success;
    return allowed ? [] : [`${service}: ${name}=${value} is not allowed`];
  });
}

test("a variable that no setting knows, or a value that is not allowed, is found", () => {
  expect(problemsOf("frontier", { KAFKA_BROKERS: "kafka:9092", KAFKA_SASL_PASSWORD_FILE: "/x" })).toEqual([]);
  expect(problemsOf("frontier", { SLUICE_DRAIN: "1" })).toEqual([
    "frontier: SLUICE_DRAIN is no setting of it",
  ]);
  expect(problemsOf("frontier", { KAFKA_BROKERS_FILE: "/x" })).toHaveLength(1);
  expect(problemsOf("frontier", { SLUICE_SINK_DIR: "/results" })).toHaveLength(1);
  expect(problemsOf("fetcher", { SLUICE_PARTITIONS: "0" })).toHaveLength(1);
});

const tools = kubernetesTools();

describe.skipIf("missing" in tools).each(["base", "overlays/dev", "overlays/production"])("%s", (folder) => {
  let manifests: readonly Manifest[] = [];
  let workloads: readonly Workload[] = [];
  /** Pods of the product: those of the services, and of the Job that makes topics. */
  let ours: readonly Workload[] = [];

  const serviceOf = (name: string): Workload => {
    const found = ours.find((each) => nameOf(each) === name && each.kind !== "Job");
    if (found === undefined) throw new Error(`no workload ${name}`);
    return found;
  };
  const containerOf = (name: string) => {
    const [container, ...others] = serviceOf(name).spec.template.spec.containers;
    if (container === undefined || others.length > 0) throw new Error(`${name} has not one container`);
    return container;
  };
  const variables = (name: string): Labels => variablesOf(manifests, containerOf(name));

  beforeAll(() => {
    manifests = parseManifests(build(tools as Tools, folder));
    workloads = workloadsOf(manifests);
    ours = workloads.filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/part-of"] === "sluice");
  });

  test("every service has a workload; those with a name or a volume to keep are stateful", () => {
    const running = ours.filter(({ kind }) => kind !== "Job");
    expect(running.map(nameOf).toSorted()).toEqual(services.toSorted());
    expect(
      running
        .filter(({ kind }) => kind === "StatefulSet")
        .map(nameOf)
        .toSorted(),
    ).toEqual(["frontier", "result-sink"]);
    for (const each of running.filter(({ kind }) => kind === "StatefulSet")) {
      const headless = manifests.find(
        ({ kind, metadata }) => kind === "Service" && metadata.name === each.spec.serviceName,
      );
      expect(headless?.spec).toMatchObject({ clusterIP: "None", selector: each.spec.selector.matchLabels });
    }
  });

  test("everything lies in one namespace, which enforces the restricted standard", () => {
    const [namespace, ...others] = ofKind(manifests, "Namespace");
    expect(others).toEqual([]);
    expect(namespace?.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
    expect(
      manifests.filter((each) => each !== namespace && each.metadata.namespace !== namespace?.metadata.name),
    ).toEqual([]);
  });

  test("images are those of this version, one a service, whatever the registry", () => {
    for (const workload of workloads) {
      for (const { image } of containersOf(workload)) {
        const [name = "", tag] = image.split(/:(?=[^/]*$)/);
        if (!ours.includes(workload)) {
          expect(image).toBe(pinnedKafka().image);
          continue;
        }
        expect(tag, image).toBe(version);
        expect(name).toMatch(new RegExp(`(^|/)sluice/(${services.join("|")})$`));
        if (workload.kind !== "Job") expect(name.endsWith(`sluice/${nameOf(workload)}`), image).toBe(true);
      }
    }
  });

  test("containers get only settings that exist, with values that are allowed", () => {
    const problems = ours.flatMap((workload) =>
      containersOf(workload).flatMap((container) =>
        problemsOf(nameOf(workload), variablesOf(manifests, container)),
      ),
    );
    expect(problems).toEqual([]);
  });

  test("a service and what waits for its topics read the same settings of Kafka", () => {
    for (const name of services) {
      const { initContainers = [], containers } = serviceOf(name).spec.template.spec;
      expect(initContainers.map(({ command }) => command?.slice(1))).toEqual([
        ["/app/libs/process/src/topics-main.ts", "wait"],
      ]);
      expect(initContainers[0]?.envFrom).toEqual(containers[0]?.envFrom);
      expect(containers[0]?.volumeMounts).toEqual(
        expect.arrayContaining([...(initContainers[0]?.volumeMounts ?? [])]),
      );
    }
    expect(filesOf(".", "libs/process/src/topics-main.ts")).toHaveLength(1);
  });

  test("probes ask the admin port for the paths that services serve, and wait for a slow start", () => {
    for (const name of services) {
      const { ports, startupProbe, livenessProbe, readinessProbe } = containerOf(name);
      expect(ports).toContainEqual({
        name: "admin",
        containerPort: Number(variables(name)["SLUICE_ADMIN_PORT"]),
      });
      expect(variables(name)["SLUICE_ADMIN_HOST"]).toBe("0.0.0.0");
      expect(startupProbe?.httpGet).toEqual({ path: "/livez", port: "admin" });
      expect(livenessProbe?.httpGet).toEqual({ path: "/livez", port: "admin" });
      expect(readinessProbe?.httpGet).toEqual({ path: "/readyz", port: "admin" });
      // Five minutes, as long as topics are waited for.
      expect(
        (startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0),
      ).toBeGreaterThanOrEqual(300);
    }
  });

  test("a pod has longer to end than the service drains", () => {
    for (const name of services) {
      const drainMs = Number(commonSettings.drainMs.schema.parse(variables(name)["SLUICE_DRAIN_MS"]));
      const graceMs = serviceOf(name).spec.template.spec.terminationGracePeriodSeconds * 1000;
      expect(graceMs, name).toBeGreaterThan(drainMs + defaultLimits.drainGraceMs);
    }
  });

  test("pods meet the restricted standard, and ours can't write to their own file system", () => {
    for (const workload of workloads) {
      const pod = workload.spec.template.spec;
      expect(pod.automountServiceAccountToken).toBe(false);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const { securityContext } of containersOf(workload)) {
        expect(securityContext).toMatchObject({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          ...(ours.includes(workload) ? { readOnlyRootFilesystem: true } : {}),
        });
        expect(securityContext).not.toHaveProperty("privileged");
        expect(securityContext).not.toHaveProperty("capabilities.add");
      }
    }
  });

  test("every volume that is mounted is there", () => {
    for (const workload of workloads) {
      const volumes = [
        ...(workload.spec.template.spec.volumes ?? []).map(({ name }) => name),
        ...(workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name),
      ];
      const mounted = containersOf(workload).flatMap(({ volumeMounts }) =>
        volumeMounts.map(({ name }) => name),
      );
      expect(new Set(volumes)).toEqual(new Set(mounted));
    }
  });

  test("memory is requested and limited, CPU requested and never limited", () => {
    for (const workload of workloads) {
      for (const { resources } of containersOf(workload)) {
        expect(bytesOf(resources.limits.memory)).toBeGreaterThanOrEqual(bytesOf(resources.requests.memory));
        expect(resources.requests.cpu).toMatch(/^\d+m$/);
        expect(resources.limits).not.toHaveProperty("cpu");
      }
    }
  });

  test("selectors find their pods, and what may have more than one pod loses one at a time", () => {
    const budgets = ofKind<{ maxUnavailable: number; selector: { matchLabels: Labels } }>(
      manifests,
      "PodDisruptionBudget",
    );
    const scaled = new Set(
      [...ofKind<{ scaleTargetRef: { name: string } }>(manifests, "ScaledObject")].map(
        ({ spec }) => spec.scaleTargetRef.name,
      ),
    );
    for (const name of services) {
      const { spec } = serviceOf(name);
      expect(isSubset(spec.selector.matchLabels, spec.template.metadata.labels), name).toBe(true);
      if ((spec.replicas ?? 1) <= 1 && !scaled.has(name)) continue;
      const found = budgets.filter((each) =>
        isSubset(each.spec.selector.matchLabels, spec.template.metadata.labels),
      );
      expect(
        found.map((each) => each.spec.maxUnavailable),
        name,
      ).toEqual([1]);
    }
  });

  test("the sink that writes one file is one pod", () => {
    expect(serviceOf("result-sink").spec).toMatchObject({
      replicas: 1,
      volumeClaimTemplates: [{ metadata: { name: "results" } }],
    });
    expect(variables("result-sink")["SLUICE_SINK_DIR"]).toBe("/results");
    expect(containerOf("result-sink").volumeMounts).toContainEqual({
      name: "results",
      mountPath: "/results",
    });
  });

  test("the api is reached beyond its pod only with a token, which comes from a secret", () => {
    const { env = [] } = containerOf("api");
    expect(env.find(({ name }) => name === "SLUICE_API_TOKEN")?.valueFrom).toEqual({
      secretKeyRef: {
        name: folder === "overlays/dev" ? expect.stringMatching(/^sluice-api-/) : "sluice-api",
        key: "token",
      },
    });
  });

  test("someone makes the topics: a Job before the services, or Strimzi", () => {
    expect(new Set(services.map((name) => variables(name)["SLUICE_CREATE_TOPICS"]))).toEqual(
      new Set(["false"]),
    );
    const jobs = ours
      .filter(({ kind }) => kind === "Job")
      .map((each) => containersOf(each)[0]?.command?.slice(1));
    expect(jobs).toEqual(
      folder === "overlays/production" ? [] : [["/app/libs/process/src/topics-main.ts", "create"]],
    );
  });
});

describe.skipIf("missing" in tools)("the production overlay", () => {
  let manifests: readonly Manifest[] = [];
  beforeAll(() => {
    manifests = parseManifests(build(tools as Tools, "overlays/production"));
  });
  const shared = (): Labels => ofKind(manifests, "ConfigMap")[0]?.data ?? {};

  test("has the topics of the table as Strimzi's, as many replicas as services check", () => {
    const layout = { ...defaultLayout, replicationFactor: Number(shared()["SLUICE_REPLICATION_FACTOR"]) };
    expect(Number(shared()["SLUICE_PARTITIONS"])).toBe(layout.partitions);
    const found = ofKind<{ partitions: number; replicas: number; config: Labels }>(manifests, "KafkaTopic");
    expect(new Map(found.map((each) => [nameOf(each), each.spec]))).toEqual(
      new Map(
        topicSpecs(layout).map(({ name, partitions, replicationFactor, configs }) => [
          name,
          { partitions, replicas: replicationFactor, config: configs },
        ]),
      ),
    );
  });

  test("speaks to Kafka over TLS as the user that Strimzi makes, with the password from a file", () => {
    expect(shared()).toMatchObject({
      KAFKA_SECURITY_PROTOCOL: "SASL_SSL",
      KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
    });
    const [user] = ofKind(manifests, "KafkaUser");
    expect(user?.spec).toMatchObject({ authentication: { type: "scram-sha-512" } });
    expect(user?.metadata.name).toBe(shared()["KAFKA_SASL_USERNAME"]);
    const folder = "/etc/sluice/kafka";
    expect(shared()["KAFKA_SASL_PASSWORD_FILE"]).toBe(`${folder}/password`);
    expect(shared()["KAFKA_SSL_CA_LOCATION"]).toBe(`${folder}/ca.crt`);
    for (const workload of workloadsOf(manifests)) {
      expect(workload.spec.template.spec.volumes).toContainEqual(
        expect.objectContaining({
          name: "kafka-secrets",
          projected: expect.objectContaining({
            sources: [
              { secret: { name: user?.metadata.name, items: [{ key: "password", path: "password" }] } },
              { secret: { name: "sluice-kafka-ca", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            ],
          }) as unknown,
        }),
      );
      for (const { volumeMounts } of containersOf(workload))
        expect(volumeMounts).toContainEqual({ name: "kafka-secrets", mountPath: folder, readOnly: true });
    }
  });

  test("scales fetchers, and only them, by what is ready to fetch, up to one a partition", () => {
    const scaled = ofKind<{
      scaleTargetRef: { name: string };
      maxReplicaCount: number;
      triggers: readonly { type: string; metadata: Labels }[];
    }>(manifests, "ScaledObject");
    expect(scaled.map(({ spec }) => spec.scaleTargetRef)).toEqual([{ name: "fetcher" }]);
    const [spec] = scaled.map((each) => each.spec);
    expect(spec?.maxReplicaCount).toBe(Number(shared()["SLUICE_PARTITIONS"]));
    expect(spec?.triggers).toMatchObject([{ type: "prometheus" }]);
    const query = spec?.triggers[0]?.metadata["query"] ?? "";
    expect(query).toBe('sum(sluice_fetch_ready{namespace="sluice"})');
    expect(Object.keys(metricDefinitions)).toContain("sluice_fetch_ready");
    const concurrency = settingsByService.fetcher.concurrency.schema.parse(undefined);
    expect(Number(spec?.triggers[0]?.metadata["threshold"])).toBe(concurrency);
    expect(workloadsOf(manifests).find((each) => nameOf(each) === "fetcher")?.spec).not.toHaveProperty(
      "replicas",
    );
  });

  test("spreads each service over nodes and zones", () => {
    for (const { metadata, spec } of workloadsOf(manifests))
      expect(spec.template.spec.topologySpreadConstraints, metadata.name).toHaveLength(2);
  });

  test("asks every pod for its metrics", () => {
    const [monitor] = ofKind<{
      selector: { matchLabels: Labels };
      podMetricsEndpoints: readonly { port: string }[];
    }>(manifests, "PodMonitor");
    expect(monitor?.spec.podMetricsEndpoints.map(({ port }) => port)).toEqual(["admin"]);
    for (const { spec } of workloadsOf(manifests))
      expect(
        isSubset(monitor?.spec.selector.matchLabels ?? { none: "" }, spec.template.metadata.labels),
      ).toBe(true);
  });
});

test("every file below k8s is named by a kustomization", () => {
  const kustomizations = filesOf("k8s", "**/kustomization.yaml");
  const files = filesOf("k8s", "**/*.yaml").filter((path) => !path.endsWith("/kustomization.yaml"));
  const unnamed = files.filter((path) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    const name = path.slice(folder.length + 1);
    const kustomization = `${folder}/kustomization.yaml`;
    return !kustomizations.includes(kustomization) || !read(kustomization).includes(name);
  });
  expect(unnamed).toEqual([]);
});

function bytesOf(text: string): number {
  const [, amount, unit] = /^(\d+)(Mi|Gi)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`${text} is no amount of memory`);
  return Number(amount) * (unit === "Gi" ? 2 ** 30 : 2 ** 20);
}
