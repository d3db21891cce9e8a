/**
 * A crawl on a real Kubernetes: SLUICE_K8S=1, as root, with Docker for the images (tests/docker) and a quarter of an
 * hour for the first build. SLUICE_K8S_DIR keeps what was built for the next time, SLUICE_K8S_KEEP=1 the cluster too.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pinnedKafka } from "@sluice/local-kafka";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { docker, engineFailure } from "../docker/engine.ts";
import { buildImages } from "../docker/images.ts";
import { Graph } from "../fleet/graph.ts";
import { politenessViolations, type AccessLine } from "../fleet/origin.ts";
import { kubernetesTools } from "./tools.ts";

const here = import.meta.dirname;
const root = resolve(here, "../..");
const node = join(here, "cluster/node.sh");
const services = ["frontier", "rate-limit", "fetcher", "result-sink", "api"];
const delayMs = 200;
const plan = {
  hosts: ["10.200.1.1", "10.200.1.2", "10.200.1.3", "10.200.1.4"],
  pagesPerHost: 120,
  seed: 5,
  port: 8080,
};
const job = "on-kubernetes";

const isWanted = process.env["SLUICE_K8S"] === "1";
const images = process.env["SLUICE_K8S_IMAGES"];
const obstacle = !isWanted
  ? "SLUICE_K8S=1 is not set"
  : process.getuid?.() === 0
    ? images === undefined
      ? engineFailure()
      : undefined
    : "it needs root";
if (obstacle !== undefined) process.stderr.write(`No crawl on a real Kubernetes: ${obstacle}\n`);

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly containerStatuses: readonly { readonly containerID: string }[];
  };
}

interface JobView {
  readonly state: string;
  readonly status: { readonly finishReason: string | null } | null;
}

describe.skipIf(obstacle !== undefined)("on a real Kubernetes of one node", () => {
  const folder = process.env["SLUICE_K8S_DIR"] ?? mkdtempSync(join(tmpdir(), "sluice-kubernetes-"));
  const results = join(folder, "state/results");
  const origin = { log: "", stop: (): void => {} };
  const figures: string[] = [];
  const note = (text: string): void => {
    figures.push(text);
    process.stderr.write(`${text}\n`);
  };

  const run = (...args: readonly string[]): string =>
    execFileSync(node, ["run", folder, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 64 * 1024 * 1024,
    });
  const kubectl = (...args: readonly string[]): string => run("kubectl", ...args);
  const inNamespace = (...args: readonly string[]): string => kubectl("--namespace", "sluice", ...args);
  const podsOf = (service: string): readonly Pod[] =>
    (
      JSON.parse(inNamespace("get", "pods", "-l", `app.kubernetes.io/name=${service}`, "-o", "json")) as {
        items: readonly Pod[];
      }
    ).items;
  const podOf = (service: string): Pod => {
    const [pod] = podsOf(service);
    if (pod === undefined) throw new Error(`no pod of ${service}`);
    return pod;
  };

  /** Asks the api from within its own pod, where no policy is in the way. */
  function ask(
    method: string,
    path: string,
    body?: unknown,
  ): { readonly status: number; readonly body: unknown } {
    const script = `fetch("http://127.0.0.1:7400${path}", { method: "${method}", headers: {
      authorization: "Bearer " + process.env.SLUICE_API_TOKEN, ${body === undefined ? "" : '"content-type": "application/json"'} },
      ${body === undefined ? "" : `body: ${JSON.stringify(JSON.stringify(body))}`} })
      .then(async (answer) => console.log(JSON.stringify({ status: answer.status, body: await answer.json() })))`;
    return JSON.parse(
      inNamespace("exec", "deploy/api", "--container", "api", "--", "node", "-e", script),
    ) as {
      status: number;
      body: unknown;
    };
  }

  const written = (): readonly { readonly url: string; readonly result_id: string }[] => {
    const path = join(results, "results.jsonl");
    if (!existsSync(path)) return [];
    // The last line may be half written.
    const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => JSON.parse(line) as { url: string; result_id: string });
  };

  /** The process of a pod's service, as the machine sees it. */
  function processOf(pod: Pod): number {
    const id = pod.status.containerStatuses[0]?.containerID.replace("containerd://", "") ?? "";
    const { stdout } = spawnSync(
      "ctr",
      ["--address", join(folder, "state/containerd.sock"), "-n", "k8s.io", "tasks", "list"],
      {
        encoding: "utf8",
      },
    );
    const line = stdout.split("\n").find((each) => each.startsWith(id));
    const pid = Number(line?.split(/\s+/)[1]);
    if (!(pid > 1)) throw new Error(`no process of ${pod.metadata.name}`);
    return pid;
  }

  const residentMiB = (service: string): number => {
    const status = readFileSync(`/proc/${processOf(podOf(service))}/status`, "utf8");
    return Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024);
  };

  const isKept = process.env["SLUICE_K8S_KEEP"] === "1";

  async function startCluster(): Promise<void> {
    execFileSync(join(here, "cluster/build.sh"), [folder], {
      stdio: ["ignore", "ignore", "inherit"],
      timeout: 3_000_000,
    });
    const tar = images ?? join(folder, "images.tar");
    if (images === undefined) {
      const built = await buildImages(services);
      await docker("save", "--output", tar, ...services.map((each) => built.service(each)), built.kafka);
    }
    const startedMs = performance.now();
    execFileSync(node, ["stop", folder], { stdio: "inherit" });
    execFileSync(node, ["start", folder], { stdio: "inherit", timeout: 300_000 });
    note(`node ready after ${seconds(startedMs)} s`);
    execFileSync(node, ["images", folder, tar], {
      stdio: "inherit",
      timeout: 600_000,
      env: { ...process.env, KAFKA_IMAGE: pinnedKafka().image },
    });
  }

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    if (isKept && existsSync(join(folder, "state/kubeconfig"))) {
      kubectl("delete", "namespace/sluice", "persistentvolume/results", "--ignore-not-found");
      rmSync(results, { recursive: true, force: true });
    } else {
      await startCluster();
    }
    kubectl("apply", "-k", join(here, "cluster/dns"));
    kubectl("--namespace", "kube-system", "rollout", "status", "deployment/dns", "--timeout", "180s");
    mkdirSync(results, { recursive: true });
    // The owner of a folder of the node is not changed for a pod, as that of other volumes is.
    chownSync(results, 1000, 1000);
    origin.stop = await startOrigin();
  }, 3_600_000);

  afterAll(() => {
    origin.stop();
    process.stderr.write(`${figures.join("\n")}\n`);
    if (isKept) return;
    spawnSync(node, ["stop", folder], { stdio: "inherit" });
    if (process.env["SLUICE_K8S_DIR"] === undefined) rmSync(folder, { recursive: true, force: true });
  }, 120_000);

  async function startOrigin(): Promise<() => void> {
    for (const host of plan.hosts) run("ip", "address", "replace", `${host}/32`, "dev", "outside");
    const child = spawn(
      node,
      ["run", folder, process.execPath, join(root, "tests/docker/origin-main.ts"), JSON.stringify(plan)],
      { stdio: ["ignore", "pipe", "inherit"], detached: true },
    );
    child.stdout.on("data", (data: Buffer) => {
      origin.log += data.toString();
    });
    await vi.waitUntil(() => origin.log.includes("listening"), { timeout: 60_000 });
    return () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    };
  }

  test("the API server takes every manifest of every overlay, custom resources among them", () => {
    const tools = kubernetesTools();
    if ("missing" in tools) throw new Error(tools.missing);
    kubectl("apply", "--server-side", "-f", tools.customResources);
    kubectl("wait", "--for", "condition=Established", "crd", "--all", "--timeout", "60s");
    kubectl("create", "namespace", "sluice");
    for (const each of [
      "k8s/base",
      "k8s/overlays/dev",
      "k8s/overlays/production",
      "tests/kubernetes/kustomizations/alternatives",
    ]) {
      const said = kubectl("apply", "--server-side", "--dry-run=server", "-k", join(root, each));
      expect(said.split("\n").filter((line) => line !== "" && !line.endsWith("(server dry run)"))).toEqual(
        [],
      );
    }
  }, 300_000);

  test("the dev overlay crawls a web, and a killed fetcher and a killed frontier cost no result and repeat none", async () => {
    const appliedMs = performance.now();
    const crawl = run("kubectl", "kustomize", join(here, "kustomizations/crawl")).replaceAll(
      "/results-on-the-node",
      results,
    );
    execFileSync(node, ["run", folder, "kubectl", "apply", "-f", "-"], { input: crawl, encoding: "utf8" });
    inNamespace("wait", "--for", "condition=Complete", "job/topics", "--timeout", "600s");
    note(`topics made after ${seconds(appliedMs)} s`);
    for (const each of [
      "statefulset/frontier",
      "statefulset/result-sink",
      "deployment/rate-limit",
      "deployment/fetcher",
      "deployment/api",
    ])
      inNamespace("rollout", "status", each, "--timeout", "600s");
    note(`all pods ready after ${seconds(appliedMs)} s`);

    const graph = new Graph({ ...plan, port: () => plan.port, crossLinks: 2 });
    const seeds = plan.hosts.map((_, index) => graph.url(index, "/"));
    const expected = [...graph.reachable(seeds)].sort();
    const startedMs = performance.now();
    const submission = { id: job, seeds, scope: { kind: "any" }, politeness: { delayMs } };
    await expect
      .poll(() => ask("POST", "/v1/jobs", submission).status, { timeout: 60_000, interval: 2000 })
      .toBe(201);

    const killed = ["fetcher", "frontier"].map(podOf);
    for (const [index, pod] of killed.entries()) {
      const share = Math.round(((index + 1) / 4) * expected.length);
      await expect.poll(() => written().length, { timeout: 300_000, interval: 250 }).toBeGreaterThan(share);
      note(`${pod.metadata.name} killed at ${written().length} of ${expected.length} results`);
      process.kill(processOf(pod), "SIGKILL");
      inNamespace("delete", "pod", pod.metadata.name, "--grace-period", "0", "--force");
    }
    expect(written().length).toBeLessThan(expected.length);
    const view = (): JobView => ask("GET", `/v1/jobs/${job}`).body as JobView;
    await expect.poll(() => view().state, { timeout: 600_000, interval: 2000 }).toBe("ended");
    note(`${expected.length} pages in ${seconds(startedMs)} s`);
    expect(view().status?.finishReason).toBe("completed");

    const urls = (): readonly string[] =>
      written()
        .map(({ url }) => url)
        .sort();
    await expect.poll(urls, { timeout: 60_000, interval: 500 }).toEqual(expected);
    expect(new Set(written().map(({ result_id }) => result_id)).size).toBe(expected.length);
    for (const [index, service] of ["fetcher", "frontier"].entries())
      expect(podOf(service).metadata.uid).not.toBe(killed[index]?.metadata.uid);
    const log = origin.log
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as AccessLine);
    expect(log.length).toBeGreaterThanOrEqual(expected.length);
    expect(politenessViolations(log, delayMs)).toEqual([]);
    expect(log.filter(({ path }) => path.startsWith("/private/"))).toEqual([]);
    note(`resident MiB: ${services.map((each) => `${each} ${residentMiB(each)}`).join(", ")}`);
  }, 1_800_000);

  test("a pod that is deleted drains and ends by itself, before its grace is over", () => {
    const startedMs = performance.now();
    inNamespace("delete", "pod", podOf("fetcher").metadata.name, "--wait=true");
    note(`a fetcher drained and ended within ${seconds(startedMs)} s`);
    expect(performance.now() - startedMs).toBeLessThan(40_000);
    inNamespace("rollout", "status", "deployment/fetcher", "--timeout", "300s");
  }, 400_000);
});

const seconds = (sinceMs: number): string => ((performance.now() - sinceMs) / 1000).toFixed(1);
