/** What of a run breaks a promise. Pure. */
import { percentile } from "./steadiness.ts";
import type { Verdict } from "./world.ts";

export interface Expectation {
  readonly kills: number;
  readonly transactions: boolean;
}

/** No graceful scale event may hold up the crawl for longer, in 95 of 100. */
export const scalePauseMaxMs = 5_000;
/** Beyond the session timeout, after which a silent member is taken for dead. */
export const killPauseMarginMs = 4_000;

/** Fewer need not meet every service. */
const spreadKillsMin = 30;

/** What must not be, whatever the machine. */
export function wrongOf(verdict: Verdict, { kills, transactions }: Expectation): readonly string[] {
  const wrong: string[] = [];
  for (const name of [
    "missing",
    "extra",
    "unlike",
    "duplicates",
    "politeness_violations",
    "forbidden",
    "unreadable",
    "sink_missing",
    "sink_extra",
    "sink_duplicates",
    "refetched_without_cause",
  ] as const) {
    // A topic written without transactions may have a result twice, under one id; the sink's file should not.
    if (!transactions && (name === "duplicates" || name === "refetched_without_cause")) continue;
    if (verdict[name] > 0) wrong.push(`${name}: ${verdict[name]}`);
  }
  if (transactions && verdict.refetched > verdict.in_flight_at_kills)
    wrong.push(`${verdict.refetched} repeated, and only ${verdict.in_flight_at_kills} were under way`);
  if (verdict.kills < kills) wrong.push(`only ${verdict.kills} of ${kills} kills fell`);
  if (kills >= spreadKillsMin) wrong.push(...wrongSpread(verdict));
  return wrong;
}

const victims = ["frontier", "rate-limit", "fetcher", "result-sink", "kafka"] as const;

/** Kills fall on all services and the broker; half of them are at failpoints. */
function wrongSpread({ killed, failpoints }: Verdict): readonly string[] {
  const spared = victims.filter((service) => (killed[service] ?? 0) === 0);
  const all = sumOf(killed);
  const atFailpoints = sumOf(failpoints);
  return [
    ...spared.map((service) => `${service} was never killed`),
    ...(2 * atFailpoints < all ? [`only ${atFailpoints} of ${all} kills at failpoints`] : []),
  ];
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** How long the crawl paused around scale events and kills, and the limits of that. */
export function pausesOf(
  { pauses_ms: pauses }: Pick<Verdict, "pauses_ms">,
  sessionTimeoutMs: number,
): { readonly figures: Readonly<Record<string, number>>; readonly slow: readonly string[] } {
  const of = (kind: string): readonly number[] =>
    pauses.filter(({ what }) => what.startsWith(kind)).map(({ ms }) => ms);
  const figures: Record<string, number> = {};
  const slow: string[] = [];
  const scales = of("scale ");
  if (scales.length > 0) {
    figures["scale_pauses"] = scales.length;
    figures["scale_pause_p95_ms"] = percentile(scales, 0.95);
    figures["scale_pause_limit_ms"] = scalePauseMaxMs;
    if (percentile(scales, 0.95) > scalePauseMaxMs)
      slow.push(`scale events held up the crawl for ${percentile(scales, 0.95)} ms`);
  }
  const kills = of("kill ");
  if (kills.length > 0) {
    const limit = sessionTimeoutMs + killPauseMarginMs;
    figures["kill_pauses"] = kills.length;
    figures["kill_pause_max_ms"] = Math.max(...kills);
    figures["kill_pause_limit_ms"] = limit;
    if (Math.max(...kills) > limit) slow.push(`a kill held up the crawl for ${Math.max(...kills)} ms`);
  }
  return { figures, slow };
}

/** Of what verify_poison.py found; it is empty where nothing was poisoned. */
export function wrongLetters(letters: Readonly<Record<string, unknown>>, atLeast: number): readonly string[] {
  if (atLeast === 0) return [];
  const wrong: string[] = [];
  if (Number(letters["poison"]) < atLeast) wrong.push(`only ${String(letters["poison"])} bad records`);
  for (const name of ["poison_wrong", "good_in_dead_letters"])
    if (letters[name] !== 0) wrong.push(`${name}: ${String(letters[name])}`);
  return wrong;
}
