/** Debian's promtool, which checks rules, configurations and expressions as Prometheus does. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined;

export interface Verdict {
  readonly ok: boolean;
  readonly said: string;
}

export function promtool(...args: readonly string[]): Verdict {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  return { ok: status === 0, said: `${stdout}${stderr}` };
}

/** Runs promtool on a file of this text, which may name files beside it. */
export function promtoolOn(
  command: readonly string[],
  files: Readonly<Record<string, string>>,
  last: string,
): Verdict {
  const folder = mkdtempSync(join(tmpdir(), "sluice-promtool-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return promtool(...command, join(folder, last));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether Prometheus can read each of the expressions. */
export function promtoolReads(expressions: readonly string[]): Verdict {
  const rules = expressions.map((expr, index) => ({ record: `checked:${index}`, expr }));
  return promtoolOn(
    ["check", "rules", "--lint=none"],
    { "rules.yaml": JSON.stringify({ groups: [{ name: "checked", rules }] }) },
    "rules.yaml",
  );
}
