/** Makes sure that what package-lock.json names is installed. Runs on old Node versions and without node_modules. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Fields of package.json that change what an install does; others may change without a new install. */
const installFields = [
  "allowScripts",
  "dependencies",
  "devDependencies",
  "engines",
  "optionalDependencies",
  "overrides",
  "workspaces",
];

/** What npm's own run hands to its children and would change an install inside it. */
const inheritedSettings =
  /^npm_(?:config_loglevel|config_ignore_scripts|config_omit|lifecycle_|package_|command$)/i;

/** Identifies the wanted installation: lock file, the fields above, operating system and processor. */
export function installStamp(root) {
  const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));
  return createHash("sha256")
    .update(readFileSync(path.join(root, "package-lock.json")))
    .update(JSON.stringify(installFields.map((field) => manifest[field] ?? null)))
    .update(`${process.platform}-${process.arch}`)
    .digest("hex");
}

export function stampFile(root) {
  return path.join(root, "node_modules", ".sluice-installed");
}

function isInstalled(root) {
  try {
    statSync(path.join(root, "node_modules", ".bin", "node"));
    return readFileSync(stampFile(root), "utf8").trim() === installStamp(root);
  } catch {
    return false;
  }
}

/** The search path without this repository's own commands: an install removes them while it runs. */
function pathWithout(directory) {
  return (process.env.PATH ?? "")
    .split(path.delimiter)
    .filter((entry) => path.resolve(entry) !== directory)
    .join(path.delimiter);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Takes the install lock; two installs at once would destroy each other's files. */
async function takeLock(file) {
  mkdirSync(path.dirname(file), { recursive: true });
  for (let told = false; ;) {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, String(process.pid));
    try {
      linkSync(draft, file);
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    let holder = "";
    try {
      holder = readFileSync(file, "utf8");
    } catch {
      continue;
    }
    if (!isAlive(Number(holder))) {
      rmSync(file, { force: true });
      continue;
    }
    if (!told)
      process.stderr.write("sluice: another command is installing the dependencies, waiting for it\n");
    told = true;
    await sleep(500);
  }
}

/** Runs npm quietly; resolves to its exit code and everything it said. */
function runNpm(root, args) {
  const env = { ...process.env, PATH: pathWithout(path.join(root, "node_modules", ".bin")) };
  for (const name of Object.keys(env)) if (inheritedSettings.test(name)) delete env[name];
  return new Promise((resolve) => {
    const child = spawn("npm", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (chunk) => (said += chunk));
    child.stderr.on("data", (chunk) => (said += chunk));
    child.on("error", (error) =>
      resolve({ code: 127, said: `npm could not be started: ${error.message}\n` }),
    );
    child.on("close", (code) => resolve({ code: code ?? 1, said }));
  });
}

/** Installs where needed. Resolves to 0, or to npm's exit code after passing on what npm said. */
export async function ensureInstalled(root) {
  if (isInstalled(root)) return 0;
  const lock = path.join(root, ".sluice", "install.lock");
  await takeLock(lock);
  try {
    if (isInstalled(root)) return 0;
    const startedMs = Date.now();
    process.stderr.write("sluice: installing dependencies with npm ci ...");
    const { code, said } = await runNpm(root, ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
    if (code !== 0) {
      process.stderr.write(` failed after ${seconds} s\n${said}`);
      return code;
    }
    writeFileSync(stampFile(root), `${installStamp(root)}\n`);
    process.stderr.write(` done in ${seconds} s\n`);
    return 0;
  } finally {
    rmSync(lock, { force: true });
  }
}
