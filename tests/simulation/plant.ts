/** Plants a known bug into the sources that this thread loads from now on. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { type PlantedBug, plantedBugs } from "./planted-bugs.ts";

const root = new URL("../../", import.meta.url);

/** The source with the bug. Throws where there is not exactly one place for it. */
export function withBug(bug: PlantedBug): string {
  const source = readFileSync(fileURLToPath(new URL(bug.file, root)), "utf8");
  const places = source.split(bug.find).length - 1;
  if (places !== 1) throw new Error(`"${bug.name}" has ${places} places in ${bug.file}`);
  // As a function: the text is none of replace's patterns.
  return source.replace(bug.find, () => bug.replace);
}

export function plant(name: string): void {
  const bug = plantedBugs.find((each) => each.name === name);
  if (bug === undefined) throw new Error(`no bug "${name}" is known`);
  const source = withBug(bug);
  const { href } = new URL(bug.file, root);
  registerHooks({
    load: (url, context, next) =>
      url === href ? { format: "module-typescript", source, shortCircuit: true } : next(url, context),
  });
}
