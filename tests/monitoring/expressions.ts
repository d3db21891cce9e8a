/** Reads PromQL as far as the rules about it need. */

/** Names of series that an expression asks for. */
export function metricsIn(expression: string): readonly string[] {
  const outsideStrings = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
  return [...outsideStrings.matchAll(/(?<![\w:])(?:[a-z_]+:)?sluice_[a-z0-9_]+(?::[a-z0-9]+)?/g)].map(
    (match) => match[0],
  );
}

export interface Selector {
  readonly metric: string;
  readonly matchers: string;
  /** Functions and aggregations around it, the innermost first. */
  readonly inside: readonly string[];
}

/** Selectors with braces, and what they stand in. */
export function selectorsIn(expression: string): readonly Selector[] {
  return [...expression.matchAll(/([a-z_:][a-z0-9_:]*)\{([^}]*)\}/g)].map((match) => ({
    metric: match[1] ?? "",
    matchers: match[2] ?? "",
    inside: around(expression, match.index),
  }));
}

/** Names before the parentheses that are open at a place. */
function around(expression: string, at: number): readonly string[] {
  const names: string[] = [];
  let depth = 0;
  for (let index = at - 1; index >= 0; index -= 1) {
    const char = expression[index];
    if (char === ")") depth += 1;
    else if (char === "(" && depth > 0) depth -= 1;
    else if (char === "(") {
      const before = /([a-z_]+)(?:\s*(?:by|without)\s*\([^)]*\))?\s*$/.exec(expression.slice(0, index));
      names.push(before?.[1] ?? "");
    }
  }
  return names;
}
