/** Metrics of several registries as one text. */

/**
 * Joins texts of the Prometheus exposition format: samples of one metric stand together under one header, as
 * the format asks for. Series differ by the label `service`.
 */
export function joinMetrics(texts: readonly string[]): string {
  const headers = new Map<string, string[]>();
  const samples = new Map<string, string[]>();
  for (const text of texts) {
    let name = "";
    const fresh = new Set<string>();
    for (const line of text.split("\n")) {
      if (line === "") continue;
      const header = /^# (?:HELP|TYPE) (\S+)/.exec(line);
      if (header !== null) {
        name = header[1] ?? "";
        if (!headers.has(name)) fresh.add(name);
        if (fresh.has(name)) headers.set(name, [...(headers.get(name) ?? []), line]);
      } else {
        const known = samples.get(name);
        if (known === undefined) samples.set(name, [line]);
        else known.push(line);
      }
    }
  }
  const blocks = [...headers].map(([name, lines]) => [...lines, ...(samples.get(name) ?? [])].join("\n"));
  return `${blocks.join("\n\n")}\n`;
}
