import { spawn } from "node:child_process";

/** A block of commands in a page, marked `<!-- tested: name -->`. */
export interface TestedBlock {
  readonly name: string;
  readonly text: string;
}

/** The marked blocks of a page in its order. Throws where a mark has no block, or two have one name. */
export function testedBlocks(page: string): readonly TestedBlock[] {
  const marks = page.split("<!-- tested:").slice(1);
  const blocks = marks.map((part) => {
    const [, name, text] = /^ ([a-z0-9-]+) -->\n+```[a-z]*\n([\s\S]*?)\n```/.exec(part) ?? [];
    if (name === undefined || text === undefined)
      throw new Error(`no block follows <!-- tested:${part.slice(0, 40)}`);
    return { name, text };
  });
  const names = new Set(blocks.map(({ name }) => name));
  if (names.size < blocks.length) throw new Error("two tested blocks have the same name");
  return blocks;
}

export interface ShellAnswer {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ShellOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly limitMs?: number;
}

/** Runs commands as a user types them into bash; killed, with all they started, after `limitMs`. */
export function shell(
  commands: string,
  { cwd, env = {}, limitMs = 120_000 }: ShellOptions,
): Promise<ShellAnswer> {
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-euo", "pipefail", "-c", commands], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const timer = setTimeout(() => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, limitMs);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
