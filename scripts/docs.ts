/**
 * Writes docs/reference and what Prometheus and Grafana read, from the tables in the code: `node scripts/docs.ts`.
 * With `--check` it only compares, names what differs and ends with 1.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { differences, generatedFiles } from "./generated.ts";

const root = resolve(import.meta.dirname, "..");
const found = differences(root);

if (process.argv.includes("--check")) {
  for (const { path, how } of found) process.stderr.write(`${path} is ${how}\n`);
  if (found.length > 0) {
    process.stderr.write("Write them anew: npm run docs\n");
    process.exitCode = 1;
  }
} else {
  const files = generatedFiles();
  for (const { path } of found) {
    const text = files.get(path);
    if (text === undefined) {
      rmSync(join(root, path));
    } else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
  process.stdout.write(`${files.size} generated files, ${found.length} changed\n`);
}
