import { spawn, type ChildProcess } from "node:child_process";

/** A shell that is typed into, line by line, with one output for both streams, as a terminal has. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #said = "";
  #ended = false;

  constructor(cwd: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn("bash", ["--noprofile", "--norc"], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child.stdin?.write("exec 2>&1\n");
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#said += text;
        for (const listener of this.#listeners) listener();
      });
    this.#child.once("close", () => {
      this.#ended = true;
      for (const listener of this.#listeners) listener();
    });
  }

  /** Runs the command to its end; resolves to what came out meanwhile. */
  async run(command: string, limitMs: number): Promise<string> {
    const end = `-- end of command ${Math.random().toString(36).slice(2)} --`;
    const from = this.#said.length;
    this.#child.stdin?.write(`${command}\nprintf '%s\\n' '${end}'\n`);
    await this.#until(() => this.#said.includes(end, from), `the end of ${command}`, limitMs);
    return this.#said.slice(from, this.#said.indexOf(end, from)).trimEnd();
  }

  /** Types a command that stays in the foreground; resolves to what came out up to the text. */
  async begin(command: string, text: string, limitMs: number): Promise<string> {
    const from = this.#said.length;
    this.#child.stdin?.write(`${command}\n`);
    await this.#until(() => this.#said.includes(text, from), `"${text}" of ${command}`, limitMs);
    return this.#said.slice(from).trimEnd();
  }

  /** Ctrl-C; resolves to what came out from then on until the shell is free again. */
  async interrupt(limitMs: number): Promise<string> {
    const from = this.#said.length;
    const end = "-- interrupted --";
    this.#child.stdin?.write(`printf '%s\\n' '${end}'\n`);
    this.#signal("SIGINT");
    await this.#until(() => this.#said.includes(end, from) || this.#ended, "the end after Ctrl-C", limitMs);
    return this.#said.slice(from).replace(end, "").trim();
  }

  /** SIGKILL to the shell and all that it has started. */
  close(): void {
    this.#signal("SIGKILL");
  }

  /** To the whole process group, as a terminal does; the shell itself lives on after SIGINT. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#ended) return;
    process.kill(-this.#child.pid, signal);
  }

  #until(condition: () => boolean, what: string, limitMs: number): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(look);
        reject(new Error(`waited ${limitMs} ms in vain for ${what}; the terminal says:\n${this.#said}`));
      }, limitMs);
      const look = (): void => {
        if (!condition() && !this.#ended) return;
        clearTimeout(timer);
        this.#listeners.delete(look);
        if (condition()) resolve();
        else reject(new Error(`the shell ended before ${what}:\n${this.#said}`));
      };
      this.#listeners.add(look);
    });
  }
}
