/** What is in the repository: packages, their sources, and which of them are for tests only. */
import { globSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

export const layers = ["core", "runtime", "adapter", "process", "service"] as const;
export type Layer = (typeof layers)[number];

/** Each package of libs/ has its line here; services and the command line program are on top. */
const layerOfLib: Readonly<Record<string, Layer>> = {
  errors: "core",
  topology: "core",
  records: "core",
  web: "core",
  runtime: "runtime",
  broker: "adapter",
  config: "adapter",
  http: "adapter",
  "local-kafka": "adapter",
  telemetry: "adapter",
  process: "process",
  cli: "service",
  client: "service",
};

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Tests, and what a package offers to tests. */
  readonly forTests: boolean;
}

export interface Package {
  readonly name: string;
  readonly folder: string;
  readonly layer: Layer | undefined;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
  readonly sources: readonly SourceFile[];
}

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

export function manifestOf(folder: string): Manifest {
  return JSON.parse(read(join(folder, "package.json"))) as Manifest;
}

/** Files below `folder` that fit the glob, in order, from the root of the repository. */
export function filesOf(folder: string, glob: string): readonly string[] {
  return globSync(glob, { cwd: join(root, folder) })
    .map((file) =>
      relative(root, join(root, folder, file))
        .split(sep)
        .join("/"),
    )
    .filter((file) => !file.includes("node_modules"))
    .toSorted();
}

const isForTests = (path: string): boolean =>
  /^(libs|services)\/[^/]+\/(test\/|src\/(testing|conformance)(\.ts$|\/))/.test(path) ||
  path.startsWith("tests/");

function sourcesOf(folder: string, glob: string): readonly SourceFile[] {
  return filesOf(folder, glob)
    .filter((path) => !path.endsWith(".d.ts"))
    .map((path) => ({ path, text: read(path), forTests: isForTests(path) }));
}

function packageIn(folder: string): Package {
  const manifest = manifestOf(folder);
  const short = folder.split("/")[1] ?? folder;
  return {
    name: manifest.name,
    folder,
    layer: folder.startsWith("services/") ? "service" : layerOfLib[short],
    dependencies: Object.keys(manifest.dependencies ?? {}),
    devDependencies: Object.keys(manifest.devDependencies ?? {}),
    sources: sourcesOf(folder, "{src,page,test}/**/*.ts"),
  };
}

export const packages: readonly Package[] = ["libs", "services"].flatMap((group) =>
  filesOf(group, "*/package.json").map((path) => packageIn(path.slice(0, path.lastIndexOf("/")))),
);

/** Everything outside the packages: tests over all of them, scripts, benchmarks. */
export const rootSources: readonly SourceFile[] = ["tests", "scripts", "bench"].flatMap((folder) =>
  sourcesOf(folder, "**/*.ts"),
);

export const allSources: readonly SourceFile[] = [
  ...packages.flatMap((each) => each.sources),
  ...rootSources,
];

/** Names of the external packages that any package.json declares, each with the places. */
export function externalDependencies(): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  for (const folder of [".", ...packages.map((each) => each.folder)]) {
    const { dependencies = {}, devDependencies = {} } = manifestOf(folder);
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      if (name.startsWith("@sluice/")) continue;
      places.set(name, [...(places.get(name) ?? []), folder]);
    }
  }
  return places;
}
