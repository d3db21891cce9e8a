/**
 * Reads messages of an event stream without ever failing. Imports nothing at run time, so that a browser can be
 * given it as it is; that it takes just what the schemas take is tested.
 */
import type { StreamEvent } from "./stream-events.ts";

export type { StreamEvent } from "./stream-events.ts";

export type ParsedEvent =
  | { readonly ok: true; readonly event: StreamEvent }
  /** For people who look for the cause: names the event and the field. */
  | { readonly ok: false; readonly reason: string };

/** What a field has to be. `Value` ties it to the field of the schema. */
interface Rule<Value> {
  readonly what: string;
  readonly holds: (value: unknown) => boolean;
  /** Never set. */
  readonly value?: Value;
}

const rule = <Value>(what: string, holds: (value: unknown) => boolean): Rule<Value> => ({ what, holds });
const text = rule<string>("a string", (value) => typeof value === "string");
const flag = rule<boolean>("true or false", (value) => typeof value === "boolean");
const number = rule<number>("a number", (value) => Number.isFinite(value));
const integer = rule<number>("an integer", (value) => Number.isSafeInteger(value));
const integerFrom = (least: number): Rule<number> =>
  rule(`an integer from ${least}`, (value) => integer.holds(value) && Number(value) >= least);
const count = integerFrom(0);
const orNull = <Value>({ what, holds }: Rule<Value>): Rule<Value | null> =>
  rule(`${what} or null`, (value) => value === null || holds(value));
const optional = <Value>({ what, holds }: Rule<Value>): Rule<Value | undefined> =>
  rule(`${what} or missing`, (value) => value === undefined || holds(value));
const oneOf = <const Value extends string>(...values: readonly Value[]): Rule<Value> =>
  rule(`one of ${values.join(", ")}`, (value) => values.some((each) => each === value));

const base = {
  job: rule<string>(
    "a job id",
    (value) => typeof value === "string" && /^[a-z0-9][a-z0-9._-]{0,99}$/.test(value),
  ),
  run: integerFrom(1),
  atMs: integer,
};
const figures = { totalProcessed: count, totalDiscovered: count, queueSize: count, pendingCount: count };
const tally = { admitted: count, done: count, failed: count, skipped: count };

type RulesOf<Event> = { readonly [Field in Exclude<keyof Event, "type">]-?: Rule<Event[Field]> };
type Rules = {
  readonly [Type in StreamEvent["type"]]: RulesOf<Extract<StreamEvent, { readonly type: Type }>>;
};

const rules: Rules = {
  stream_connected: base,
  gap: {
    ...base,
    reason: oneOf("retention", "unknown_position", "superseded"),
    from: integer,
    to: integer,
  },
  url_started: { ...base, url: text, depth: count, attempt: integerFrom(1) },
  url_crawled: {
    ...base,
    url: text,
    status: orNull(integer),
    depth: integer,
    outcome: text,
    title: orNull(text),
    durationMs: orNull(number),
    note: optional(text),
  },
  urls_discovered: { ...base, url: text, count, admitted: count },
  url_failed: {
    ...base,
    url: text,
    depth: integer,
    category: text,
    detail: orNull(text),
    refused: flag,
    attempt: integer,
    final: flag,
    robotsStatus: optional(text),
    robotsRule: optional(orNull(text)),
    robotsLine: optional(orNull(integer)),
    robotsAgeMs: optional(orNull(count)),
    sitemap: optional(count),
  },
  sitemap_read: {
    ...base,
    url: text,
    level: count,
    status: orNull(integer),
    outcome: text,
    format: orNull(oneOf("urlset", "index", "rss", "atom", "text", "unknown")),
    urls: count,
    admitted: count,
    sitemaps: count,
    sitemapsAdmitted: count,
    refused: count,
    refusedFor: orNull(text),
    note: orNull(text),
  },
  sent_to_processing: { ...base, url: text, depth: count, resultId: text },
  progress: { ...base, ...figures, done: count, failed: count, skipped: count },
  time_update: { ...base, ...figures, elapsed: count, formatted: text },
  job_completed: {
    ...base,
    ...tally,
    durationMs: count,
    finishReason: oneOf("completed", "max_pages", "cancelled"),
  },
  job_failed: { ...base, ...tally, durationMs: count, error: text },
  job_timeout: { ...base, ...tally, durationMs: count },
};

/** Names to listen to: every event that a stream may have. */
export const streamEventTypes: readonly StreamEvent["type"][] = Object.keys(rules) as StreamEvent["type"][];

/**
 * Reads one message. Fields that are not known are left out of the event: later versions may add some.
 * @param type the message's `event`
 * @param data its `data`
 */
export function parseEvent(type: string, data: string): ParsedEvent {
  const no = (reason: string): ParsedEvent => ({ ok: false, reason });
  if (!Object.hasOwn(rules, type)) return no(`${quoted(type)} is no event of a job`);
  let found: unknown;
  try {
    found = JSON.parse(data);
  } catch {
    return no(`${type}: not JSON`);
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) return no(`${type}: no object`);
  const fields = new Map<string, unknown>(Object.entries(found));
  if (fields.get("type") !== type) return no(`${type}.type: has to be ${quoted(type)}`);
  const event: Record<string, unknown> = { type };
  for (const [name, { what, holds }] of Object.entries<Rule<unknown>>(rules[type as StreamEvent["type"]])) {
    const value = fields.get(name);
    if (!holds(value)) return no(`${type}.${name}: has to be ${what}`);
    if (value !== undefined) event[name] = value;
  }
  return { ok: true, event: event as StreamEvent };
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 80));
