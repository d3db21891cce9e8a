/** A page with what was typed into terminals and what came out, which can be run again. */

/** `$ command`, and the lines that came out of it. */
export interface Step {
  /** Each of the page's terminals is a shell of its own. */
  readonly terminal: string;
  readonly command: string;
  /** As the page has it. */
  readonly output: string;
  /** Index of the line after the command, where the output begins, and of the line after it. */
  readonly from: number;
  readonly to: number;
}

/**
 * The steps of the blocks marked `<!-- terminal: name -->`, in the order of the page. A command that is continued
 * with a backslash goes on in the next line.
 */
export function stepsOf(page: string): readonly Step[] {
  const lines = page.split("\n");
  const steps: Step[] = [];
  for (const [index, line] of lines.entries()) {
    const terminal = /^<!-- terminal: ([a-z0-9-]+) -->$/.exec(line)?.[1];
    if (terminal === undefined) continue;
    const opening = lines.findIndex((each, at) => at > index && each.startsWith("```"));
    const closing = lines.findIndex((each, at) => at > opening && each === "```");
    if (opening < 0 || closing < 0) throw new Error(`no block follows line ${index + 1}: ${line}`);
    steps.push(...stepsBetween(lines, terminal, opening + 1, closing));
  }
  return steps;
}

function stepsBetween(
  lines: readonly string[],
  terminal: string,
  from: number,
  end: number,
): readonly Step[] {
  const starts = lines.flatMap((line, at) => (at >= from && at < end && line.startsWith("$ ") ? [at] : []));
  if (starts[0] !== from) throw new Error(`line ${from + 1} begins no command: ${lines[from] ?? ""}`);
  return starts.map((start, index) => {
    let last = start;
    while (lines[last]?.endsWith("\\") === true) last += 1;
    const to = starts[index + 1] ?? end;
    const command = lines
      .slice(start, last + 1)
      .join("\n")
      .slice("$ ".length);
    return { terminal, command, output: lines.slice(last + 1, to).join("\n"), from: last + 1, to };
  });
}

/** The page with other outputs in place of its own, one for each step. */
export function withOutputs(page: string, outputs: readonly string[]): string {
  const lines = page.split("\n");
  for (const [index, { from, to }] of stepsOf(page).entries().toArray().toReversed()) {
    const output = outputs[index] ?? "";
    lines.splice(from, to - from, ...(output === "" ? [] : output.split("\n")));
  }
  return lines.join("\n");
}

/** What differs from run to run, and what stands in its place. */
const volatile: readonly (readonly [RegExp, string])[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\b/g, "<instant>"],
  [/\b1[5-9]\d{11}\b|\b1[5-9]\d{8}(\.\d{1,3})?\b/g, "<epoch>"],
  [/\b[0-9a-f]{32,64}\b/g, "<hash>"],
  [/\bpid \d+/g, "pid <pid>"],
  [/\bKafka \d+\.\d+\.\d+\b/g, "Kafka <version>"],
  [/\b\d+(\.\d+)? (ms|s)\b/g, "<duration>"],
  [/(\/[\w.~-]+)+\/(?=\.sluice|crawl-results)/g, "<folder>/"],
];

/** The text with names in place of what differs from run to run, and no blanks at the ends of lines. */
export function withoutVolatile(text: string): string {
  const stable = volatile.reduce((before, [pattern, name]) => before.replaceAll(pattern, name), text);
  return stable.replaceAll(/[ \t]+$/gm, "").trimEnd();
}
