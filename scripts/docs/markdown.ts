/** Pieces of a generated page. */

export function page(title: string, from: string, ...parts: readonly string[]): string {
  return (
    [`# ${title}`, `<!-- Generated from ${from} by \`npm run docs\`; change it there. -->`, ...parts].join(
      "\n\n",
    ) + "\n"
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** A bar would end the cell, even in code. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

export const code = (text: string): string => `\`${text}\``;

const units: readonly (readonly [string, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** 604800000 as `7 days`: the largest unit that divides it. */
export function duration(ms: number): string {
  const [unit, size] = units.find(([, each]) => ms > 0 && ms % each === 0) ?? ["millisecond", 1];
  const count = ms / size;
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
