/**
 * How long one match takes against patterns that make other matchers run for ages: `node bench/patterns.ts`.
 * Prints one line of JSON: for each pattern the milliseconds of a match (best of 20), and how many times that is what a
 * harmless pattern of the same length takes on the same text.
 */
import { compileGlob, parseRobots } from "@sluice/web";

const text = `/${"a/".repeat(20)}${"a".repeat(2000)}`;

const hostile: Readonly<Record<string, string>> = {
  stars: `${"*a".repeat(199)}b`,
  globstars: `${"**/".repeat(130)}b`,
  emptyAlternatives: `${"{,a}".repeat(99)}b`,
  overlappingAlternatives: `${"{a,aa}*".repeat(56)}b`,
  starsInAlternatives: `**/${"{a*,*a}".repeat(50)}b`,
  nestedBraces: `${"{a,{b,".repeat(8)}c${"}}".repeat(8)}*x`,
  questionMarks: `*${"?".repeat(398)}b`,
  classes: `${"*[a-z]".repeat(66)}1`,
};

function bestMs(run: () => void, times = 20): number {
  let best = Infinity;
  for (let i = 0; i < times; i++) {
    const startMs = performance.now();
    run();
    best = Math.min(best, performance.now() - startMs);
  }
  return best;
}

const globs = Object.entries(hostile).map(([name, pattern]) => {
  const harmless = `${"a".repeat(pattern.length - 2)}**`;
  const coldMs = bestMs(() => void compileGlob(pattern).matches(text), 5);
  const glob = compileGlob(pattern);
  const plain = compileGlob(harmless);
  const ms = bestMs(() => void glob.matches(text));
  const plainMs = bestMs(() => void plain.matches(text));
  return { name, coldMs: round(coldMs), ms: round(ms), ratio: round(ms / Math.max(plainMs, 0.001)) };
});

const robots = [50, 500].map((stars) => {
  const file = `User-agent: *\n${`Disallow: /${"*a".repeat(stars)}b\n`.repeat(20)}`;
  const parsed = parseRobots(file);
  return { rules: 20, stars, ms: round(bestMs(() => void parsed.decide("sluice", text))) };
});

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

process.stdout.write(`${JSON.stringify({ textChars: text.length, globs, robots })}\n`);
