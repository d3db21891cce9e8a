/** What checks the manifests: kubectl and schemas from PyPI, definitions of custom resources from Go modules. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, globSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const root = resolve(here, "../..");
/** Beside what npm installs, so that it goes when that goes. */
const folder = join(root, "node_modules/.cache/sluice-kubernetes");

/** Each lies whole in the module of its project; the newest that the module proxy gives. */
const definitions = [
  { module: "github.com/kedacore/keda/v2@v2.20.1", path: "config/crd/bases/keda.sh_scaledobjects.yaml" },
  {
    module: "github.com/prometheus-operator/prometheus-operator@v0.85.0",
    path: "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
  },
];

export interface Tools {
  readonly kubectl: string;
  readonly python: string;
  /** Folder with a CustomResourceDefinition a file. */
  readonly customResources: string;
}

class Missing extends Error {}

/** Installs what is not there yet. Where that can't be: why, for a test to skip with; on CI it is an error. */
export function kubernetesTools(): Tools | { readonly missing: string } {
  try {
    return { ...venv(), customResources: customResources() };
  } catch (error) {
    if (!(error instanceof Missing) || process.env["CI"] === "true") throw error;
    process.stderr.write(`The manifests are not checked against schemas: ${error.message}\n`);
    return { missing: error.message };
  }
}

function venv(): Pick<Tools, "kubectl" | "python"> {
  const place = join(folder, "venv");
  const requirements = join(here, "requirements.txt");
  const tools = { kubectl: join(place, "bin/kubectl"), python: join(place, "bin/python") };
  const installed = join(place, "installed.txt");
  const isCurrent = existsSync(installed) && run("cmp", ["--silent", installed, requirements]).status === 0;
  if (isCurrent) return tools;
  rmSync(place, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  needed("python3", ["-m", "venv", place]);
  needed(tools.python, [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "-r",
    requirements,
  ]);
  copyFileSync(requirements, installed);
  return tools;
}

function customResources(): string {
  const place = join(folder, "custom-resources");
  mkdirSync(place, { recursive: true });
  for (const { module, path } of definitions) {
    // The version is in the name: another one is fetched anew.
    const file = join(place, `${module.replaceAll(/[^a-z0-9.]+/g, "-")}.yaml`);
    if (existsSync(file)) continue;
    const { Dir: source } = JSON.parse(needed("go", ["mod", "download", "-json", module])) as { Dir: string };
    copyFileSync(join(source, path), `${file}.${process.pid}`);
    renameSync(`${file}.${process.pid}`, file);
  }
  for (const file of globSync("*-crds.yaml", { cwd: here }))
    copyFileSync(join(here, file), join(place, file));
  return place;
}

/** @throws Missing where the command is not there or fails */
function needed(command: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = run(command, args);
  if (status === 0) return stdout;
  const why = error?.message ?? (stderr.trim().split("\n").at(-1) || stdout.trim().split("\n").at(-1));
  throw new Missing(`${command} ${args.slice(0, 3).join(" ")}: ${why ?? ""}`);
}

const run = (command: string, args: readonly string[]) =>
  spawnSync(command, args, {
    cwd: here,
    encoding: "utf8",
    timeout: 240_000,
    env: { ...process.env, GOWORK: "off" },
  });
