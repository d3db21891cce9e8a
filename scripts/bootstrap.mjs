/**
 * The way into every command of this repository: `node scripts/bootstrap.mjs <command> [arguments]`.
 * Needs nothing but Node 20 and npm: installs the dependencies where needed, Node 24 among them, and runs the
 * command with that Node and its tools first in PATH.
 */
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runChild } from "./child.mjs";
import { ensureInstalled } from "./install.mjs";
import { runTests } from "./test-run.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const bin = path.join(root, "node_modules", ".bin");
const node = path.join(bin, "node");
const env = {
  ...process.env,
  PATH: `${bin}${path.delimiter}${process.env.PATH ?? ""}`,
  // Compiled code is kept: it halves the time that each service's process needs to start.
  NODE_COMPILE_CACHE:
    process.env.NODE_COMPILE_CACHE ?? path.join(root, "node_modules", ".cache", "sluice-compiled"),
};

const tool = (name) => path.join(bin, name);
const inRoot = (command, args) => runChild(command, args, { cwd: root, env });

/** Runs the command line program in the folder the user is in. */
const runCli = (args) =>
  runChild(
    node,
    [
      `--import=${pathToFileURL(path.join(root, "scripts/merge-signals.mjs"))}`,
      path.join(root, "libs/cli/src/main.ts"),
      ...args,
    ],
    { env },
  );

/** Runs the steps in order and stops at the first that fails. */
async function inTurn(steps) {
  for (const [title, command, args] of steps) {
    process.stderr.write(`sluice: ${title}\n`);
    const code = await inRoot(command, args);
    if (code !== 0) return code;
  }
  return 0;
}

const commands = {
  crawl: (args) => runCli(["crawl", ...args]),
  probe: (args) => runCli(["probe", ...args]),
  cli: (args) => runCli(args),
  node: (args) => inRoot(node, args),
  docs: (args) => inRoot(node, ["scripts/docs.ts", ...args]),
  format: (args) => inRoot(tool("oxfmt"), args.length > 0 ? args : ["."]),
  lint: (args) => inRoot(tool("oxlint"), args),
  typecheck: (args) =>
    inTurn([
      ["types", tool("tsc"), ["-p", ".", ...args]],
      ["types of the page", tool("tsc"), ["-p", "services/api/page", ...args]],
    ]),
  test: (args) => runTests(node, root, args, env),
  verify: () =>
    inTurn([
      ["format", tool("oxfmt"), ["--check", "."]],
      ["lint", tool("oxlint"), []],
      ["types", tool("tsc"), ["-p", "."]],
      ["types of the page", tool("tsc"), ["-p", "services/api/page"]],
      [
        "unit and architecture tests",
        node,
        ["scripts/bootstrap.mjs", "test", "--project=unit", "--project=architecture"],
      ],
    ]),
};

const [name, ...args] = process.argv.slice(2);
const command = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  process.stderr.write(
    `Usage: node scripts/bootstrap.mjs <${Object.keys(commands).join("|")}> [arguments]\n`,
  );
  process.exitCode = 2;
} else {
  const installed = await ensureInstalled(root);
  process.exitCode = installed === 0 ? await command(args) : installed;
}
