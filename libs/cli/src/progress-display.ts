/** Shows progress on stderr: one line redrawn each second on a terminal, a line every five seconds elsewhere. */
import type { Clock } from "@sluice/runtime";

export interface Screen {
  readonly isTTY: boolean;
  /** Width of the terminal, in characters. */
  readonly columns: number;
  /** Colours may be used. */
  readonly colour: boolean;
  write(text: string): void;
}

const redrawMs = 1000;
const logMs = 5000;
const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`;
const clearLine = "\r\u001b[2K";

export class ProgressDisplay {
  readonly #screen: Screen;
  readonly #clock: Clock;
  readonly #line: () => string;
  #cancel: (() => void) | null = null;
  #drawn = false;

  constructor(screen: Screen, clock: Clock, line: () => string) {
    this.#screen = screen;
    this.#clock = clock;
    this.#line = line;
  }

  start(): void {
    if (this.#cancel !== null) return;
    if (this.#screen.isTTY) this.#draw();
    this.#cancel = this.#clock.after(this.#screen.isTTY ? redrawMs : logMs, () => {
      this.#cancel = null;
      if (!this.#screen.isTTY) this.#screen.write(`${this.#line()}\n`);
      this.start();
    });
  }

  /** A message that stays, above the line. */
  say(text: string): void {
    this.#clear();
    this.#screen.write(`${text}\n`);
    if (this.#screen.isTTY && this.#cancel !== null) this.#draw();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#clear();
  }

  #draw(): void {
    const text = this.#line().slice(0, Math.max(20, this.#screen.columns - 1));
    this.#screen.write(`${clearLine}${this.#screen.colour ? dim(text) : text}`);
    this.#drawn = true;
  }

  #clear(): void {
    if (this.#drawn) this.#screen.write(clearLine);
    this.#drawn = false;
  }
}

/** stderr as a screen. NO_COLOR (no-color.org) and TERM=dumb are respected. */
export function stderrScreen(env: NodeJS.ProcessEnv): Screen {
  const isTTY = process.stderr.isTTY && env["TERM"] !== "dumb";
  return {
    isTTY,
    get columns() {
      return process.stderr.columns || 80;
    },
    colour: isTTY && (env["NO_COLOR"] ?? "") === "",
    write: (text) => {
      process.stderr.write(text);
    },
  };
}
