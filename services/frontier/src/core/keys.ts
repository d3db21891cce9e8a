/** Under which keys a task's durable entries lie. Their order is that in which URLs are released and woken. */
import { defaultPriority } from "@sluice/records";
import { delayReasons, type DelayReason } from "./delay-reason.ts";
import type { OpenEntry } from "./entry.ts";
import { isOfTrap } from "./trap-rules.ts";
import { depthMax, unread, type Sought } from "./known-slots.ts";

const digits = (value: number, width: number): string => value.toString(36).padStart(width, "0");

/** A number that `digits` wrote. */
function numberAt(key: string, from: number, width: number): number {
  let value = 0;
  for (let at = from; at < from + width; at += 1) {
    const code = key.charCodeAt(at);
    value = value * 36 + (code < 58 ? code - 48 : code - 87);
  }
  return value;
}

const depthText = (depth: number): string => digits(Math.min(depth, depthMax), 3);
/**
 * Before what is as urgent as all lies what is more, behind it what is less: `0p` and two digits, `1`,
 * `2` and two digits. What holds a page grant begins with `0000`.
 */
function rankOf(priority: number): string {
  if (priority === defaultPriority) return "1";
  const later = 100 - priority;
  return priority > defaultPriority ? `0p${digits(later, 2)}` : `2${digits(later, 2)}`;
}

/** Between a rank and what is in the reverse order. */
const reversed = "~";
const placeMax = 36 ** 7 - 1;
const blockMax = 36 ** 6 - 1;

const shallowestFirst = ({ depth, place }: OpenEntry): string => depthText(depth) + digits(place, 7);
const deepestFirst = ({ depth, place }: OpenEntry): string =>
  `${reversed}${depthText(depthMax - Math.min(depth, depthMax))}${digits(placeMax - place, 7)}`;

function rankAt(key: string, from: number): { readonly granted: boolean; readonly priority: number } {
  if (key.startsWith("1", from)) return { granted: false, priority: defaultPriority };
  const isUrgent = key.startsWith("0p", from);
  if (!isUrgent && key.startsWith("0", from)) return { granted: true, priority: defaultPriority };
  const at = from + (isUrgent ? 2 : 1);
  return { granted: false, priority: 100 - parseInt(key.slice(at, at + 2), 36) };
}

/** Of a delayed URL: why it is, and whether a page grant is spent on it. */
const classOf = ({ granted, delayedBy }: Pick<OpenEntry, "granted" | "delayedBy">): string =>
  String(delayReasons.indexOf(delayedBy ?? "politeness") * 2 + (granted ? 0 : 1));

export const keys = {
  view: (job: string) => `j|${job}`,
  owner: (job: string) => `o|${job}`,
  /** Of one job on one host, the last block first. */
  settled: (view: number, host: string, block: number) =>
    `${keys.settledOn(view, host)}${digits(blockMax - block, 6)}`,
  settledOn: (view: number, host: string) => `k${view.toString(36)}|${host}|`,
  blockOf: (key: string) => blockMax - parseInt(key.slice(-6), 36),
  /** Of one job on one domain: granted ones as they came, then by priority, by depth, and as they were admitted. */
  queue: (view: number, domain: string) => `q${view.toString(36)}|${domain}|`,
  queued: (view: number, entry: OpenEntry) =>
    entry.granted
      ? `${keys.queue(view, entry.domain)}0000${digits(entry.place, 7)}|${waitingId(entry.urlId)}|${depthText(entry.depth)}`
      : `${keys.queue(view, entry.domain)}${rankOf(entry.priority)}${depthText(entry.depth)}${digits(entry.place, 7)}|${waitingId(entry.urlId)}`,
  delayed: (view: number, entry: OpenEntry) =>
    `d${view.toString(36)}|${digits(entry.dueAtMs, 9)}|${entry.domain}|${classOf(entry)}${depthText(entry.depth)}|${waitingId(entry.urlId)}`,
  /** By the budget that a URL lacks a unit of, in the order in which they would be released; of traps the deepest first. */
  held: (view: number, budget: string, entry: OpenEntry) =>
    `${keys.heldBy(view, budget)}${rankOf(entry.priority)}${(isOfTrap(budget) ? deepestFirst : shallowestFirst)(entry)}|${waitingId(entry.urlId)}|${entry.domain}`,
  heldBy: (view: number, budget: string) => `h${view.toString(36)}|${budget}|`,
  /** Units that a task has of a budget, in one run. */
  budget: ({ number, run }: { readonly number: number; readonly run: number }, name: string) =>
    `b${number.toString(36)}|${run.toString(36)}|${name}`,
  /** What tasks have of a budget that this task hands out. */
  sharedBudget: (job: string, name: string) => `${keys.sharedBudgetsOf(job)}${name}`,
  sharedBudgetsOf: (job: string) => `${keys.sharedBudgets}${job}|`,
  sharedBudgets: "s|",
  out: (view: number, entry: OpenEntry) => `f${view.toString(36)}|${entry.domain}|${idText(entry.urlId)}`,
  /** By category, then by when it failed: the run, and how many orders to retry had come. */
  failed: (view: number, category: string, run: number, order: number, entry: OpenEntry) =>
    `${keys.failedSince(view, category, run, order)}${entry.domain}|${idText(entry.urlId)}`,
  failedSince: (view: number, category: string, run: number, order: number) =>
    `${keys.failedOf(view, category)}${digits(run, 4)}${digits(order, 4)}|`,
  failedOf: (view: number, category: string) => `x${view.toString(36)}|${category}|`,
  /** Of a page, in as many parts as its links came in: a part is known by its first URL. */
  outlinksOf: (view: number, page: string) => `l${view.toString(36)}|${idText(page)}|`,
  outlinks: (view: number, page: string, first: string) => `${keys.outlinksOf(view, page)}${idText(first)}`,
  /** Where the ways to URLs of a view begin. */
  root: (view: number, number: number) => `r${view.toString(36)}|${digits(number, 2)}`,
  /** All URLs of a view that are where the letter says. */
  all: (letter: Letter, view: number) => `${letter}${view.toString(36)}|`,
};

/** Roots, settled, queued, delayed, held, released and failed URLs, what pages lead to, and units of budgets. */
export const letters = ["r", "k", "q", "d", "h", "f", "x", "l", "b"] as const;
export type Letter = (typeof letters)[number];

/** What the key of a URL that waits says. */
export interface UrlKey {
  readonly view: number;
  readonly domain: string;
  readonly granted: boolean;
  readonly depth: number;
  readonly priority: number;
  readonly place: number;
  readonly dueAtMs: number;
  readonly delayedBy: DelayReason | null;
}

/** The number of the view to which a settled block or a URL belongs. */
export function viewOfKey(key: string): number {
  return parseInt(key.slice(1, key.indexOf("|")), 36);
}

export function parseQueued(key: string): UrlKey {
  const [, domain = "", order = "", , grantedDepth] = key.split("|");
  const { granted, priority } = rankAt(order, 0);
  return {
    view: viewOfKey(key),
    domain,
    granted,
    depth: parseInt(grantedDepth ?? order.slice(-10, -7), 36),
    priority,
    place: parseInt(order.slice(-7), 36),
    dueAtMs: 0,
    delayedBy: null,
  };
}

/** What one of a queue's keys says beyond the queue: where it is, and as what. Reads no more than it must. */
export function placeInQueue(
  key: string,
  queue: string,
): Pick<UrlKey, "granted" | "depth" | "priority" | "place"> & {
  readonly delayedBy: null;
  /** Where its id begins. */
  readonly idAt: number;
} {
  const from = queue.length;
  const bar = key.indexOf("|", from);
  const { granted, priority } = rankAt(key, from);
  return {
    granted,
    delayedBy: null,
    priority,
    place: numberAt(key, bar - 7, 7),
    depth: granted ? numberAt(key, key.indexOf("|", bar + 1) + 1, 3) : numberAt(key, bar - 10, 3),
    idAt: bar + 1,
  };
}

export function parseDelayed(key: string): Omit<UrlKey, "priority"> & { readonly id: string } {
  const [, due = "", domain = "", order = "", id = ""] = key.split("|");
  return {
    view: viewOfKey(key),
    domain,
    id,
    granted: Number(order.charAt(0)) % 2 === 0,
    depth: parseInt(order.slice(1), 36),
    place: 0,
    dueAtMs: parseInt(due, 36),
    delayedBy: delayReasons[Math.floor(Number(order.charAt(0)) / 2)] ?? "politeness",
  };
}

/** With the name of the budget. */
export function parseHeld(
  key: string,
): Omit<UrlKey, "dueAtMs"> & { readonly name: string; readonly id: string } {
  const [, name = "", order = "", id = "", domain = ""] = key.split("|");
  const { priority } = rankAt(order, 0);
  const depth = parseInt(order.slice(-10, -7), 36);
  const place = parseInt(order.slice(-7), 36);
  const isReversed = order.includes(reversed);
  return {
    view: viewOfKey(key),
    name,
    domain,
    id,
    granted: false,
    depth: isReversed ? depthMax - depth : depth,
    priority,
    place: isReversed ? placeMax - place : place,
    delayedBy: "budget",
  };
}

/** What the key of one that is released or has failed says. */
interface SettlingKey extends Pick<UrlKey, "view" | "domain"> {
  readonly urlId: string;
}

export function parseOut(key: string): SettlingKey {
  const [, domain = "", id = ""] = key.split("|");
  return { view: viewOfKey(key), domain, urlId: idOf(id) };
}

/** The number of a root in its view. */
export const numberOfRoot = (key: string): number => parseInt(key.slice(key.indexOf("|") + 1), 36);

/** The host of a block of settled URLs; null of one from a version that mixed hosts. */
export function hostOfBlock(key: string): string | null {
  const [, host = "", block] = key.split("|");
  return block === undefined ? null : host;
}

/** The name of the budget that a key of units is of. */
export const budgetOfKey = (key: string): string => key.split("|")[2] ?? "";

export function parseFailed(key: string): SettlingKey & { readonly category: string; readonly run: number } {
  const [, category = "", since = "", domain = "", id = ""] = key.split("|");
  return { view: viewOfKey(key), category, domain, urlId: idOf(id), run: parseInt(since.slice(0, 4), 36) };
}

/** 22 characters for the 32 digits of a URL id. */
export function idText(urlId: string): string {
  return Buffer.from(urlId, "hex").toString("base64url");
}

export function idOf(text: string): string {
  return Buffer.from(text, "base64url").toString("hex");
}

/** Of the id of a URL that waits its key has 11 characters, for the 64 bits by which it is known. Its entry has the URL, which says all. */
const waitingIdChars = 11;
const waitingId = (urlId: string): string => idText(urlId.slice(0, 18)).slice(0, waitingIdChars);

/** The key as former versions wrote it, with the whole id. */
export const formerWaitingKey = (key: string, urlId: string): string =>
  key.replace(`|${waitingId(urlId)}`, `|${idText(urlId)}`);

/** Values of the characters of base64url (RFC 4648, section 5), by their codes. */
const sextets = new Uint8Array(128);
for (const [value, char] of [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].entries())
  sextets[char.charCodeAt(0)] = value;

/** Reads the first 64 bits of an id in the text of a key, at its character `from`. A dozen times as fast as by a buffer. */
export function seekWaiting(key: string, from: number, into: Sought): void {
  const at = (index: number): number => sextets[key.charCodeAt(from + index)] ?? 0;
  const middle = at(5);
  into.high =
    ((at(0) << 26) | (at(1) << 20) | (at(2) << 14) | (at(3) << 8) | (at(4) << 2) | (middle >> 4)) >>> 0;
  into.low =
    ((middle << 28) | (at(6) << 22) | (at(7) << 16) | (at(8) << 10) | (at(9) << 4) | (at(10) >> 2)) >>> 0;
  into.rest = unread;
}
