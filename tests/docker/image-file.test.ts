import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeEnvironment, nodeFlags } from "@sluice/process";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readText, root } from "./compose.ts";

const lines = readText("deploy/Dockerfile").trimEnd().split("\n");
const manifest = JSON.parse(readText("package.json")) as { devDependencies: Record<string, string> };

describe("deploy/Dockerfile", () => {
  it("has its base and its service as arguments, runs without a shell and not as root", () => {
    expect(lines).toContain(`ARG BASE_IMAGE=node:${manifest.devDependencies["node"]}-bookworm-slim`);
    expect(lines).toContain("ARG SERVICE");
    const last = lines.slice(lines.lastIndexOf("FROM ${BASE_IMAGE}"));
    expect(last).toContain("WORKDIR /app/services/${SERVICE}");
    expect(last).toContain("USER 1000:1000");
    const environment = Object.entries(nodeEnvironment).map(([name, value]) => `${name}=${value}`);
    expect(last).toContain(`ENV ${environment.join(" ")}`);
    expect(last).toContain("STOPSIGNAL SIGTERM");
    expect(JSON.parse(last.at(-1)?.replace("CMD ", "") ?? "")).toEqual(["node", ...nodeFlags, "src/main.ts"]);
  });

  it("has a health check that the image itself can do", () => {
    expect(readText("deploy/Dockerfile")).toMatch(
      /^HEALTHCHECK .* CMD \["node", "\/app\/deploy\/health\.mjs"\]$/m,
    );
  });

  it("copies nothing that is ignored, and ignores tests, installed packages and all that is not named", () => {
    const ignored = readText(".dockerignore").trim().split("\n");
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(copied.length).toBeGreaterThan(4);
    expect(ignored[0]).toBe("*");
    for (const path of copied) expect(ignored).toContain(`!${path}`);
    expect(ignored).toEqual(expect.arrayContaining(["**/node_modules", "**/test"]));
  });
});

describe("deploy/secrets.mjs", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "sluice-secrets-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [join(root, "deploy/secrets.mjs"), ...args], { encoding: "utf8" });
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");

  it("makes up a token and a password of 256 random bits and prints neither", () => {
    const { status, stdout, stderr } = run(folder);
    expect(status, String(stderr)).toBe(0);
    expect(read("api.env")).toMatch(/^SLUICE_API_TOKEN=[A-Za-z0-9_-]{43}\n$/);
    expect(read("grafana-password")).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(read("api.env")).not.toContain(read("grafana-password"));
    expect(String(stdout)).toBe("api.env is new\ngrafana-password is new\n");
    expect(statSync(join(folder, "api.env")).mode & 0o777).toBe(0o400);
  });

  it("leaves alone what is there", () => {
    run(folder);
    const before = [read("api.env"), read("grafana-password")];
    const { status, stdout } = run(folder);
    expect(status).toBe(0);
    expect(String(stdout)).toBe("");
    expect([read("api.env"), read("grafana-password")]).toEqual(before);
  });

  it("fails where it can't write, and without a folder", () => {
    expect(run(join(folder, "absent")).status).not.toBe(0);
    expect(run().status).toBe(2);
  });
});

describe("deploy/health.mjs", () => {
  const check = async (port: number): Promise<number | null> => {
    const child = spawn(process.execPath, [join(root, "deploy/health.mjs")], {
      env: { ...process.env, SLUICE_ADMIN_PORT: String(port) },
      stdio: "inherit",
    });
    return new Promise((resolve) => child.once("exit", resolve));
  };

  it.each([
    [200, 0],
    [503, 1],
    [404, 1],
  ])("of an answer %i makes exit code %i", async (status, code) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect(await check(port)).toBe(code);
    expect(asked).toEqual(["/readyz"]);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    // Nobody listens there any more.
    expect(await check(port)).toBe(1);
  });
});
