/**
 * Writes docs/reference from the tables in the code: `node scripts/docs.ts`. With `--check` it only compares,
 * names what differs and ends with 1.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { differences, referencePages } from "./docs/reference.ts";

const root = resolve(import.meta.dirname, "..");
const found = differences(root);

if (process.argv.includes("--check")) {
  for (const { path, how } of found) process.stderr.write(`${path} is ${how}\n`);
  if (found.length > 0) {
    process.stderr.write("Write the reference anew: npm run docs\n");
    process.exitCode = 1;
  }
} else {
  const pages = referencePages();
  for (const { path } of found) {
    const text = pages.get(path);
    if (text === undefined) {
      rmSync(join(root, path));
    } else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
  process.stdout.write(`${pages.size} pages of reference, ${found.length} changed\n`);
}
