import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { build, parseManifests, type Manifest } from "./manifests.ts";
import { kubernetesTools, type Tools } from "./tools.ts";

/** The oldest that the manifests are written for, the one that the opt-in suite runs, and the newest with schemas. */
const versions = ["1.30", "1.34", "1.37"];
const kustomizations = [
  "base",
  "overlays/dev",
  "overlays/production",
  "../tests/kubernetes/kustomizations/alternatives",
];

const tools = kubernetesTools();
const has = !("missing" in tools);

interface Problem {
  readonly kind: string;
  readonly name: string;
  readonly problem: string;
}

function problemsOf({ python, customResources }: Tools, text: string, version: string): readonly Problem[] {
  const { status, stdout, stderr } = spawnSync(
    python,
    [join(import.meta.dirname, "validate.py"), version, customResources],
    { input: text, encoding: "utf8" },
  );
  const problems = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Problem);
  if (status !== (problems.length > 0 ? 1 : 0)) throw new Error(stderr);
  return problems;
}

describe.skipIf(!has)("the schemas of Kubernetes and of custom resources", () => {
  const texts = new Map<string, string>();
  const usable = tools as Tools;

  beforeAll(() => {
    for (const each of kustomizations) texts.set(each, build(usable, each));
  });

  test.each(versions)("allow every manifest of every kustomization, in Kubernetes %s", (version) => {
    expect(problemsOf(usable, [...texts.values()].join("\n---\n"), version)).toEqual([]);
  });

  test("refuse a field that is misspelt, in each kind of manifest", () => {
    const byKind = new Map<string, Manifest>();
    for (const text of texts.values())
      for (const manifest of parseManifests(text)) byKind.set(manifest.kind, manifest);
    expect([...byKind.keys()].toSorted()).toEqual(kindsInUse);
    const misspeltOnes = [...byKind.values()].map(misspelt);
    const problems = problemsOf(
      usable,
      misspeltOnes.map((each) => JSON.stringify(each)).join("\n---\n"),
      "1.34",
    );
    expect(problems.map(({ kind }) => kind).toSorted()).toEqual(kindsInUse);
    for (const { kind, problem } of problems) expect(problem, kind).toMatch(/misspelt|no schema/i);
  });

  test("refuse values that are not allowed deep inside", () => {
    const manifestTexts = [...texts.values()].flatMap((each) => each.split("\n---\n"));
    const wrong = planted.map(([kind, from, to]) => {
      const text = manifestTexts.find((each) => each.includes(`kind: ${kind}\n`) && each.includes(from));
      if (text === undefined) throw new Error(`no ${from} in a ${kind}`);
      return text.replace(from, to);
    });
    const problems = problemsOf(usable, wrong.join("\n---\n"), "1.34");
    expect(problems.map(({ kind }) => kind)).toEqual(planted.map(([kind]) => kind));
  });

  test("refuse a kind that they do not know", () => {
    const unknown = { apiVersion: "apps/v1", kind: "Deploymint", metadata: { name: "x" } };
    expect(problemsOf(usable, JSON.stringify(unknown), "1.34")).toMatchObject([{ kind: "Deploymint" }]);
  });
});

/** Kind, what stands in a manifest of it, and what is not allowed there. */
const planted = [
  ["StatefulSet", "periodSeconds: 10", "periodSeconds: often"],
  ["NetworkPolicy", "podSelector: {}", "podSelector: []"],
  ["ScaledObject", "maxReplicaCount: 12", "maxReplicaCount: many"],
  ["PodMonitor", "port: admin", "port: [admin]"],
  ["KafkaTopic", "partitions: 12", "partitions: 0"],
  ["KafkaUser", "type: scram-sha-512", "type: plain"],
] as const;

const kindsInUse = [
  "ConfigMap",
  "Deployment",
  "HorizontalPodAutoscaler",
  "Ingress",
  "Job",
  "KafkaTopic",
  "KafkaUser",
  "Namespace",
  "NetworkPolicy",
  "PodDisruptionBudget",
  "PodMonitor",
  "ScaledObject",
  "Secret",
  "Service",
  "StatefulSet",
];

/** One field too many, beside those of `spec` or, where there is no spec, of the whole. */
function misspelt(manifest: Manifest): object {
  const typo = { misspelt: true };
  return manifest.spec === undefined
    ? { ...manifest, ...typo }
    : { ...manifest, spec: { ...(manifest.spec as object), ...typo } };
}
