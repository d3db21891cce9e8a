/** The public test data beside the repository, which may be absent. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { describe } from "vitest";

const folder = new URL("../../../../shared/data/", import.meta.url);

/** A suite over files of `../shared/data`; skipped, with the reason, where they are absent. */
export function describeWithData(name: string, files: readonly string[], suite: () => void): void {
  const missing = files.filter((file) => !existsSync(new URL(file, folder)));
  if (missing.length === 0) {
    describe(name, suite);
    return;
  }
  process.stderr.write(`skipped: ${name}: ../shared/data has no ${missing.join(", ")}\n`);
  describe.skip(`${name} (skipped: ../shared/data has no ${missing.join(", ")})`, suite);
}

export function readJson<T>(file: string): T {
  return JSON.parse(readText(file)) as T;
}

export function readText(file: string): string {
  return readFileSync(new URL(file, folder), "utf8");
}

export function readBytes(file: string): Uint8Array {
  return readFileSync(new URL(file, folder));
}

export function filesOf(subfolder: string): string[] {
  return readdirSync(new URL(`${subfolder}/`, folder))
    .sort()
    .map((file) => `${subfolder}/${file}`);
}
