import { builtinModules } from "node:module";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { importsOf, packageOf } from "./source-imports.ts";
import {
  externalDependencies,
  filesOf,
  layers,
  manifestOf,
  packages,
  rootSources,
  type Package,
} from "./workspace.ts";

const rankOf = (each: Package): number => (each.layer === undefined ? -1 : layers.indexOf(each.layer));
const byName: ReadonlyMap<string, Package> = new Map(packages.map((each) => [each.name, each]));
const rootManifest = manifestOf(".");

/** External packages that only some of our packages may know, so that a change of them stays there. */
const ownersOf: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ["@sluice/broker", "@sluice/local-kafka"],
  undici: ["@sluice/http"],
  opossum: ["@sluice/http"],
  "prom-client": ["@sluice/telemetry"],
  pino: ["@sluice/telemetry"],
  fastify: ["@sluice/api"],
  commander: ["@sluice/cli"],
};

interface Use {
  readonly from: Package;
  readonly path: string;
  readonly line: number;
  readonly specifier: string;
  readonly forTests: boolean;
}

const uses: readonly Use[] = packages.flatMap((from) =>
  from.sources.flatMap(({ path, text, forTests }) =>
    importsOf(text).map(({ specifier, line }) => ({ from, path, line, specifier, forTests })),
  ),
);
const place = (use: { path: string; line: number; specifier: string }): string =>
  `${use.path}:${use.line} ${use.specifier}`;

/** The one source that may know services: jobs that are not distributed run them in the API's process. */
const compositionOfServices = "services/api/src/direct-services.ts";
const isHost = (from: Package, to: Package): boolean =>
  compositionOfServices.startsWith(`${from.folder}/`) && to.layer === "service";

/** Whether `to` may be imported by `from`: what lies below, and core libraries from core libraries. */
function isBelow(from: Package, to: Package): boolean {
  return rankOf(to) < rankOf(from) || (from.layer === "core" && to.layer === "core");
}

describe("imports", () => {
  test("every package has its layer", () => {
    expect(packages.filter((each) => each.layer === undefined).map((each) => each.name)).toEqual([]);
    expect(packages.length).toBeGreaterThanOrEqual(16);
  });

  test("built-in modules are imported with node: in front", () => {
    const bare = [...uses, ...rootUses()].filter(
      ({ specifier }) => !specifier.startsWith("node:") && builtinModules.includes(specifier),
    );
    expect(bare.map(place)).toEqual([]);
  });

  test("a relative import stays in its package and names a source with its extension", () => {
    const outside = uses
      .filter((use) => use.specifier.startsWith("."))
      .filter(({ from, path, specifier }) => {
        const target = posix.join(posix.dirname(path), specifier);
        return !target.startsWith(`${from.folder}/`) || !/\.(ts|json)$/.test(target);
      });
    expect(outside.map(place)).toEqual([]);
  });

  test("a package imports only what its package.json declares, and in production only its dependencies", () => {
    const undeclared = uses.filter(({ from, specifier, forTests }) => {
      const name = packageOf(specifier);
      if (name === null || name === from.name || from.dependencies.includes(name)) return false;
      const forTestsOnly = [...from.devDependencies, ...Object.keys(rootManifest.devDependencies ?? {})];
      return !(forTests && forTestsOnly.includes(name));
    });
    expect(undeclared.map(place)).toEqual([]);
  });

  test("tests and scripts over all packages import only what the repository declares", () => {
    const declared = new Set([...externalDependencies().keys(), ...byName.keys()]);
    const undeclared = rootUses().filter(({ specifier }) => {
      const name = packageOf(specifier);
      return name !== null && !declared.has(name);
    });
    expect(undeclared.map(place)).toEqual([]);
  });

  test("no package.json declares a dependency that its sources do not use", () => {
    const unused = packages.flatMap((each) => {
      const used = new Set(
        each.sources.flatMap(({ text }) => importsOf(text)).map(({ specifier }) => packageOf(specifier)),
      );
      // A package without any code yet says by its dependencies what it will stand on.
      if (used.size === 0) return [];
      return [...each.dependencies, ...each.devDependencies]
        .filter((name) => !used.has(name))
        .map((name) => `${each.folder}: ${name}`);
    });
    expect(unused).toEqual([]);
  });

  test("a dependency that only tests use is a development dependency", () => {
    const wrong = packages.flatMap((each) => {
      const used = new Set(
        uses.filter((use) => use.from === each && !use.forTests).map(({ specifier }) => packageOf(specifier)),
      );
      const inTests = new Set(
        uses.filter((use) => use.from === each && use.forTests).map(({ specifier }) => packageOf(specifier)),
      );
      return each.dependencies
        .filter((name) => !used.has(name) && inTests.has(name))
        .map((name) => `${each.folder}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test("layers import only what lies below them", () => {
    const upward = uses.filter(({ from, path, specifier, forTests }) => {
      const to = byName.get(packageOf(specifier) ?? "");
      return (
        to !== undefined && to !== from && !forTests && !isBelow(from, to) && path !== compositionOfServices
      );
    });
    expect(upward.map(place)).toEqual([]);
    const declared = packages.flatMap((from) =>
      from.dependencies
        .filter((name) => {
          const to = byName.get(name);
          return to !== undefined && !isBelow(from, to) && !isHost(from, to);
        })
        .map((name) => `${from.folder}: ${name}`),
    );
    expect(declared).toEqual([]);
  });

  test("no service imports another service but where the API puts them together, and nothing but tests imports a service", () => {
    const serviceNames = new Set(
      packages.filter((each) => each.folder.startsWith("services/")).map((each) => each.name),
    );
    const found = uses.filter(({ from, specifier }) => {
      const name = packageOf(specifier);
      return name !== null && serviceNames.has(name) && name !== from.name;
    });
    expect(found.filter(({ path }) => path !== compositionOfServices).map(place)).toEqual([]);
    expect(found.filter(({ path }) => path === compositionOfServices)).toHaveLength(4);
  });

  test("each client library is known to the packages that wrap it, and to no other", () => {
    const elsewhere = uses.filter(({ from, specifier, forTests }) => {
      const owners = ownersOf[packageOf(specifier) ?? ""];
      return owners !== undefined && !forTests && !owners.includes(from.name);
    });
    expect(elsewhere.map(place)).toEqual([]);
  });

  test("what a package offers to tests is not used in production", () => {
    const found = uses.filter(({ path, specifier, forTests }) => {
      if (forTests) return false;
      if (/^@sluice\/[^/]+\/(testing|conformance|memory)$/.test(specifier)) return true;
      return (
        specifier.startsWith(".") &&
        /\/src\/(testing|conformance|memory)(\.ts|\/)/.test(posix.join(posix.dirname(path), specifier)) &&
        !/\/src\/memory(\.ts|\/)/.test(path)
      );
    });
    expect(found.map(place)).toEqual([]);
  });

  test("exports name files that exist", () => {
    const missing = packages.flatMap((each) => {
      const { exports = {} } = manifestOf(each.folder) as { exports?: Record<string, string> };
      return Object.values(exports)
        .map((target) => posix.join(each.folder, target))
        .filter((target) => filesOf(".", target).length === 0);
    });
    expect(missing).toEqual([]);
  });
});

function rootUses() {
  return rootSources.flatMap(({ path, text }) =>
    importsOf(text).map(({ specifier, line }) => ({ path, line, specifier })),
  );
}
