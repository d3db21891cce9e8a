/** The manifests as `kubectl apply -k` would send them. */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Tools } from "./tools.ts";

const root = resolve(import.meta.dirname, "../..");

export type Labels = Readonly<Record<string, string>>;

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
  readonly envFrom?: readonly { readonly configMapRef?: { readonly name: string } }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources: {
    readonly requests: { readonly cpu: string; readonly memory: string };
    readonly limits: { readonly cpu?: string; readonly memory: string };
  };
  readonly securityContext: unknown;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}

export interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: unknown;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string }[];
  readonly topologySpreadConstraints?: readonly unknown[];
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
    readonly annotations?: Labels;
  };
  readonly data?: Labels;
  readonly spec?: unknown;
}

export interface Workload extends Manifest {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels: Labels };
    readonly serviceName?: string;
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: PodSpec };
  };
}

/** `folder` is below `k8s`. */
export function build(tools: Tools, folder: string): string {
  const { status, stdout, stderr } = spawnSync(tools.kubectl, ["kustomize", join(root, "k8s", folder)], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${folder}: ${stderr}`);
  return stdout;
}

export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

const controllers = new Set(["Deployment", "StatefulSet", "Job"]);

/** What makes pods. */
export const workloadsOf = (manifests: readonly Manifest[]): readonly Workload[] =>
  manifests.filter(({ kind }) => controllers.has(kind)) as readonly Workload[];

export const ofKind = <Spec>(
  manifests: readonly Manifest[],
  kind: string,
): readonly (Manifest & { readonly spec: Spec })[] =>
  manifests.filter((each) => each.kind === kind) as readonly (Manifest & { readonly spec: Spec })[];

export const containersOf = ({ spec }: Workload): readonly Container[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
];

/** The variables of a container that have a literal value, its own and those of the config maps it names. */
export function variablesOf(manifests: readonly Manifest[], container: Container): Labels {
  const shared = (container.envFrom ?? []).map(({ configMapRef }) => {
    const map = manifests.find(
      ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === configMapRef?.name,
    );
    if (map?.data === undefined)
      throw new Error(`${container.name}: no config map ${configMapRef?.name ?? ""}`);
    return map.data;
  });
  const own = (container.env ?? []).map(({ name, value }) => ({ [name]: value ?? "" }));
  return Object.assign({}, ...shared, ...own) as Labels;
}

export const isSubset = (wanted: Labels, labels: Labels): boolean =>
  Object.entries(wanted).every(([name, value]) => labels[name] === value);
