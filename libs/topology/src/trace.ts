/**
 * Traces: tests that are read as what goes in and what comes out.
 *
 *     # A comment stays where it is.
 *     seed https://a.example/ job=news
 *     ----
 *     link a.example seed https://a.example/
 *
 * A block is one or more commands, a line of four dashes, and what happened, up to the next blank line. A
 * replay performs the commands and writes what happened anew, so a file that comes out as it went in passes.
 * The form follows the data-driven tests of etcd's raft library.
 */

/** One line of a trace above the dashes: a name, words, and `name=value` pairs in any order. */
export interface TraceCommand {
  readonly name: string;
  readonly words: readonly string[];
  readonly fields: Readonly<Record<string, string>>;
  /** The line itself, for messages. */
  readonly line: string;
}

const divider = "----";
const fieldPattern = /^([a-zA-Z][a-zA-Z0-9]*)=(.*)$/;

function commandOf(line: string): TraceCommand {
  const [name = "", ...rest] = line.split(/ +/);
  const words: string[] = [];
  const fields: Record<string, string> = {};
  for (const part of rest) {
    const [, key, value] = fieldPattern.exec(part) ?? [];
    if (key === undefined || value === undefined) words.push(part);
    else fields[key] = value;
  }
  return { name, words, fields, line };
}

/**
 * Performs the commands of a trace in order and returns its text with what happened. `perform` returns the
 * lines of one command; a blank line among them would end the block, so it throws.
 */
export function replayTrace(text: string, perform: (command: TraceCommand) => readonly string[]): string {
  const out: string[] = [];
  let happened: string[] | null = null;
  let skipping = false;
  const close = (): void => {
    if (happened === null) return;
    if (!skipping) out.push(divider);
    out.push(...(happened.length === 0 ? ["nothing"] : happened));
    happened = null;
    skipping = false;
  };
  for (const line of text.trimEnd().split("\n")) {
    if (line.trim() === "") {
      close();
      out.push("");
    } else if (skipping) {
      continue;
    } else if (line === divider) {
      if (happened === null) throw new Error("dashes without a command");
      out.push(divider);
      skipping = true;
    } else if (line.startsWith("#")) {
      out.push(line);
    } else {
      out.push(line);
      const lines = perform(commandOf(line));
      const blank = lines.find((each) => each.trim() === "" || each.includes("\n"));
      if (blank !== undefined) throw new Error(`${line}: a blank or broken line came out`);
      happened = [...(happened ?? []), ...lines];
    }
  }
  close();
  return `${out.join("\n")}\n`;
}
