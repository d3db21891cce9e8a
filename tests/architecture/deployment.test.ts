import { commonSettings, settingsByService, type Setting } from "@sluice/config";
import { pinnedKafka } from "@sluice/local-kafka";
import { defaultLimits } from "@sluice/runtime";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { filesOf, manifestOf, packages, read } from "./workspace.ts";

type Variables = Readonly<Record<string, string>>;

interface ComposeService {
  readonly image: string;
  readonly build?: { readonly dockerfile: string; readonly args: Variables };
  readonly environment: Variables;
  readonly restart: string;
  readonly stop_grace_period: string;
  readonly healthcheck: { readonly test: readonly string[] };
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: unknown;
  readonly livenessProbe: { readonly httpGet: unknown };
  readonly readinessProbe: { readonly httpGet: unknown };
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas: number;
    readonly selector: { readonly matchLabels: Variables };
    readonly template: {
      readonly metadata: { readonly labels: Variables };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly securityContext: unknown;
        readonly containers: readonly Container[];
      };
    };
  };
}

const version = (manifestOf(".") as { version?: string }).version;
const services = packages
  .filter(({ folder }) => folder.startsWith("services/"))
  .map(({ folder }) => folder.slice("services/".length));

const ownSettings = (service: string): readonly Setting[] =>
  Object.values(
    (settingsByService as Readonly<Record<string, Readonly<Record<string, Setting>>>>)[service] ?? {},
  );

/** Problems of the variables that a service is started with: unknown names and values that are not allowed. */
function problemsOf(service: string, variables: Variables): readonly string[] {
  const settings = [
    ...Object.values(commonSettings as Readonly<Record<string, Setting>>),
    ...ownSettings(service),
  ];
  const known = new Map(
    settings.flatMap((each) => [each.env, ...(each.aliases ?? [])].map((name) => [name, each] as const)),
  );
  return Object.entries(variables).flatMap(([name, value]) => {
    const setting = known.get(name);
    if (setting === undefined) return [`${service}: ${name} is no setting of it`];
    return value === "" || setting.schema.safeParse(value).success
      ? []
      : [`${service}: ${name}=${value} is not allowed`];
  });
}

/** How long a service may take to end: its calls, then the last commits. */
const endMsOf = (variables: Variables): number =>
  Number(commonSettings.drainMs.schema.parse(variables[commonSettings.drainMs.env])) +
  defaultLimits.drainGraceMs;

/** `${NAME:-value}` as it is where NAME is not set. */
const withDefaults = (text: string): string => text.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, "$1");

test("a variable that no setting knows, or a value that is not allowed, is found", () => {
  expect(problemsOf("frontier", { KAFKA_BROKERS: "kafka:9092", SLUICE_DRAIN_MS: "1000" })).toEqual([]);
  expect(problemsOf("frontier", { SLUICE_DRAIN: "1000" })).toEqual([
    "frontier: SLUICE_DRAIN is no setting of it",
  ]);
  expect(problemsOf("frontier", { SLUICE_SINK_DIR: "/results" })).toHaveLength(1);
  expect(problemsOf("frontier", { SLUICE_PARTITIONS: "0" })).toEqual([
    "frontier: SLUICE_PARTITIONS=0 is not allowed",
  ]);
});

describe("docker compose", () => {
  const compose = parse(withDefaults(read("docker-compose.yml")), { merge: true }) as {
    services: Readonly<Record<string, ComposeService>>;
  };

  test("runs Kafka and every service, each from its own image", () => {
    expect(Object.keys(compose.services).toSorted()).toEqual(["kafka", ...services].toSorted());
    for (const name of services) {
      expect(compose.services[name]).toMatchObject({
        image: `sluice/${name}:${version}`,
        build: { dockerfile: "deploy/Dockerfile", args: { SERVICE: name } },
      });
    }
  });

  test("the image of Kafka is the pinned version", () => {
    expect(compose.services["kafka"]?.image).toBe(pinnedKafka().image);
  });

  test("services get only settings that exist, with values that are allowed", () => {
    expect(services.flatMap((name) => problemsOf(name, compose.services[name]?.environment ?? {}))).toEqual(
      [],
    );
  });

  test("a service is started again, asked whether it is ready, and has longer to end than it drains", () => {
    for (const name of services) {
      const service = compose.services[name];
      if (service === undefined) throw new Error(`no service ${name}`);
      const { restart, healthcheck, stop_grace_period: grace, environment } = service;
      expect(restart).toBe("unless-stopped");
      expect(healthcheck.test.join(" ")).toContain(`127.0.0.1:${environment["SLUICE_ADMIN_PORT"]}/readyz`);
      expect(Number(/^(\d+)s$/.exec(grace)?.[1]) * 1000).toBeGreaterThan(endMsOf(environment));
    }
  });
});

describe("Kubernetes", () => {
  const kustomization = parse(read("k8s/base/kustomization.yaml")) as {
    resources: readonly string[];
    configMapGenerator: readonly { readonly name: string; readonly literals: readonly string[] }[];
  };
  const manifests = kustomization.resources.flatMap((file) =>
    parseAllDocuments(read(`k8s/base/${file}`)).map((document) => {
      expect(document.errors, file).toEqual([]);
      return document.toJS() as Manifest;
    }),
  );
  const shared: Variables = Object.fromEntries(
    (kustomization.configMapGenerator[0]?.literals ?? []).map((literal) => [
      literal.slice(0, literal.indexOf("=")),
      literal.slice(literal.indexOf("=") + 1),
    ]),
  );
  const workloads = manifests.filter(({ kind }) => kind === "Deployment" || kind === "StatefulSet");

  /** The workload of a service with its only container. */
  function workloadOf(name: string) {
    const workload = workloads.find(({ metadata }) => metadata.name === name);
    const pod = workload?.spec.template.spec;
    const container = pod?.containers[0];
    if (workload === undefined || pod === undefined || container === undefined)
      throw new Error(`no workload ${name}`);
    const own = Object.fromEntries(
      (container.env ?? []).flatMap(({ name: variable, value }) =>
        value === undefined ? [] : [[variable, value]],
      ),
    );
    return { workload, pod, container, variables: { ...shared, ...own } as Variables };
  }

  test("the base names every file beside it", () => {
    expect(filesOf("k8s/base", "*.yaml").map((path) => path.slice("k8s/base/".length))).toEqual(
      ["kustomization.yaml", ...kustomization.resources].toSorted(),
    );
  });

  test("every service has a workload, the frontier one with stable names", () => {
    expect(workloads.map(({ metadata }) => metadata.name).toSorted()).toEqual(services.toSorted());
    expect(workloadOf("frontier").workload.kind).toBe("StatefulSet");
    for (const name of services)
      expect(workloadOf(name).container).toMatchObject({ name, image: `sluice/${name}:${version}` });
  });

  test("pods get only settings that exist, with values that are allowed", () => {
    expect(services.flatMap((name) => problemsOf(name, workloadOf(name).variables))).toEqual([]);
  });

  test("a pod has longer to end than the service drains", () => {
    for (const name of services) {
      const { pod, variables } = workloadOf(name);
      expect(pod.terminationGracePeriodSeconds * 1000, name).toBeGreaterThan(endMsOf(variables));
    }
  });

  test("probes ask the admin port for the paths that services serve", () => {
    for (const name of services) {
      const { container, variables } = workloadOf(name);
      expect(container.ports).toContainEqual({
        name: "admin",
        containerPort: Number(variables["SLUICE_ADMIN_PORT"]),
      });
      expect(container.livenessProbe.httpGet).toEqual({ path: "/livez", port: "admin" });
      expect(container.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "admin" });
      expect(variables["SLUICE_ADMIN_HOST"]).toBe("0.0.0.0");
    }
  });

  test("pods meet the restricted security standard", () => {
    for (const name of services) {
      const { pod, container } = workloadOf(name);
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      expect(container.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  });

  test("selectors find their pods, and what has more than one pod keeps all but one through a disruption", () => {
    const budgets = new Map(
      manifests
        .filter(({ kind }) => kind === "PodDisruptionBudget")
        .map(({ metadata, spec }) => [metadata.name, spec.selector.matchLabels]),
    );
    for (const name of services) {
      const { workload } = workloadOf(name);
      expect(workload.spec.template.metadata.labels).toMatchObject(workload.spec.selector.matchLabels);
      if (workload.spec.replicas > 1) expect(budgets.get(name)).toEqual(workload.spec.selector.matchLabels);
    }
  });

  test("the sink that writes one file is one pod, and never two at once", () => {
    expect(workloadOf("result-sink").workload.spec).toMatchObject({
      replicas: 1,
      strategy: { type: "Recreate" },
    });
  });
});

describe("the image", () => {
  const lines = read("deploy/Dockerfile").split("\n");

  test("has its base and its service as arguments, runs without a shell and not as root", () => {
    expect(lines).toContain("ARG BASE_IMAGE=node:24-slim");
    expect(lines).toContain("ARG SERVICE");
    expect(lines).toContain("USER 1000:1000");
    expect(lines.at(-2)).toBe('CMD ["node", "src/main.ts"]');
    expect(lines.join("\n")).toContain("WORKDIR /app/services/${SERVICE}\n");
  });

  test("what it copies is not ignored, and tests and installed packages are", () => {
    const ignored = read(".dockerignore").trim().split("\n");
    const copied = lines
      .filter((line) => line.startsWith("COPY "))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(ignored[0]).toBe("*");
    for (const path of copied) expect(ignored).toContain(`!${path}`);
    expect(ignored).toEqual(expect.arrayContaining(["**/node_modules", "**/test"]));
  });
});
