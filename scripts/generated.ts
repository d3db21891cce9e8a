/** Every file that is made from tables in the code, and how the ones on disk differ from them. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { referenceFolder, referencePages } from "./docs/reference.ts";
import { kubernetesFiles } from "./kubernetes.ts";
import { monitoringFiles, monitoringFolders } from "./monitoring.ts";

/** Path from the root of the repository, and text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([...referencePages(), ...monitoringFiles(), ...kubernetesFiles()]);
}

const generatedFolders = [referenceFolder, ...monitoringFolders];

export interface Difference {
  readonly path: string;
  readonly how: "missing" | "out of date" | "of nothing in the code";
}

/** What is on disk and should not be, and what should be and is not. */
export function differences(root: string): readonly Difference[] {
  const files = generatedFiles();
  const found: Difference[] = [];
  for (const [path, text] of files) {
    if (!existsSync(join(root, path))) found.push({ path, how: "missing" });
    else if (readFileSync(join(root, path), "utf8") !== text) found.push({ path, how: "out of date" });
  }
  for (const folder of generatedFolders) {
    for (const file of globSync("**/*.{md,json,yaml,yml}", { cwd: join(root, folder) })) {
      const path = `${folder}/${file.split(sep).join("/")}`;
      if (!files.has(path)) found.push({ path, how: "of nothing in the code" });
    }
  }
  return found;
}
