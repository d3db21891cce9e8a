/** What robots.txt allows (RFC 9309), and which line of it says so. */
import { directives, octetsOf } from "./robots-lines.ts";
import { RobotsPattern, comparablePath } from "./robots-pattern.ts";

/** What to do before the body is looked at. */
export type RobotsStatusRule = "parse" | "allow_all" | "disallow_all";

/**
 * What an HTTP status of robots.txt means (RFC 9309 §2.3.1): 2xx is read; 4xx allows all; 5xx and 429, which asks us
 * to slow down and says nothing about rules, disallow all. A 3xx that is left after the redirects that the caller
 * follows counts as unavailable, so it allows (§2.3.1.2). A 304 is the caller's, who holds the cached copy.
 */
export function robotsForStatus(status: number): RobotsStatusRule {
  if (status >= 200 && status < 300) return "parse";
  if (status === 429 || status < 200 || status >= 500) return "disallow_all";
  return "allow_all";
}

/** Redirects of robots.txt that are followed (RFC 9309 §2.3.1.2: at least five). */
export const robotsRedirectsMax = 5;

export interface RobotsDecision {
  readonly allowed: boolean;
  /** Line of the deciding rule, from 1; null where no rule matched. */
  readonly line: number | null;
  /** The deciding rule as `allow: /path` or `disallow: /path`; null where no rule matched. */
  readonly rule: string | null;
}

export interface Robots {
  /** `Sitemap` values in the order of the file, unchecked, each once; they belong to no group. */
  readonly sitemaps: readonly string[];
  /**
   * Whether `agentToken` may fetch `path`. The longest matching rule decides, allow wins a tie, and without a match
   * the path is allowed. "/robots.txt" is always allowed.
   * @param agentToken our product token, e.g. `Sluice`; what follows it, as in `Sluice/1.0`, is ignored
   * @param path path and query, as `CanonicalUrl.path`
   */
  decide(agentToken: string, path: string): RobotsDecision;
  /** The group's Crawl-delay in milliseconds, the largest where there are several; not capped. Null without one. */
  crawlDelayMs(agentToken: string): number | null;
  /** A shorter robots.txt that says the same to `agentToken`, each rule on the same line, in octets. */
  excerpt(agentToken: string): Uint8Array;
}

/**
 * Reads robots.txt. Never fails: a line that is no directive is skipped.
 * @param body UTF-8, with or without a byte order mark; other octets are compared as they are
 */
export function parseRobots(body: Uint8Array | string): Robots {
  const octets = octetsOf(body);
  const blocks: Block[] = [];
  const sitemaps = new Set<string>();
  let block: Block | null = null;
  for (const { key, value, line } of directives(octets)) {
    switch (key) {
      case "user-agent": {
        // Only rules end a run of User-agent lines: other records must not disturb the groups (RFC 9309 §2.2.4).
        if (block === null || block.hasRules) {
          block = { tokens: new Map(), rules: [], delays: [], hasRules: false };
          blocks.push(block);
        }
        const token = groupToken(value);
        if (token !== null && !block.tokens.has(token)) block.tokens.set(token, block.tokens.size);
        break;
      }
      case "allow":
      case "disallow":
        if (block === null) break;
        block.hasRules = true;
        if (value !== "") block.rules.push({ kind: key, line, source: value });
        break;
      case "crawl-delay": {
        const delayMs = crawlDelay(value);
        if (block !== null && delayMs !== null) block.delays.push({ tokens: block.tokens.size, delayMs });
        break;
      }
      case "sitemap":
        if (value !== "") sitemaps.add(utf8Of(value));
        break;
      default:
        key satisfies never;
    }
  }
  return new ParsedRobots(blocks, [...sitemaps]);
}

interface Rule {
  readonly kind: "allow" | "disallow";
  readonly line: number;
  /** The value as in the file, in octets. */
  readonly source: string;
}

interface CompiledRule extends Rule {
  readonly pattern: RobotsPattern;
}

/** A run of User-agent lines and what follows it. Kept once for all its tokens, however many a file lists. */
interface Block {
  /** Each token with its place among the User-agent lines. */
  readonly tokens: Map<string, number>;
  readonly rules: Rule[];
  /** A delay is about the tokens named before it, of which there are `tokens`. */
  readonly delays: { readonly tokens: number; readonly delayMs: number }[];
  hasRules: boolean;
}

interface Group {
  readonly token: string;
  readonly rules: readonly CompiledRule[];
  readonly crawlDelayMs: number | null;
}

class ParsedRobots implements Robots {
  readonly sitemaps: readonly string[];
  readonly #blocks: readonly Block[];
  /** The group asked for last: a crawler asks for one token only. */
  #group: Group | null = null;

  constructor(blocks: readonly Block[], sitemaps: readonly string[]) {
    this.#blocks = blocks;
    this.sitemaps = sitemaps;
  }

  decide(agentToken: string, path: string): RobotsDecision {
    const compared = comparablePath(path);
    const rule =
      compared === "/robots.txt" ? undefined : firstMatch(this.#groupFor(agentToken).rules, compared);
    if (rule === undefined) return { allowed: true, line: null, rule: null };
    return {
      allowed: rule.kind === "allow",
      line: rule.line,
      rule: `${rule.kind}: ${utf8Of(rule.source)}`,
    };
  }

  crawlDelayMs(agentToken: string): number | null {
    return this.#groupFor(agentToken).crawlDelayMs;
  }

  excerpt(agentToken: string): Uint8Array {
    const { rules, crawlDelayMs } = this.#groupFor(agentToken);
    const lines: string[] = [];
    const byLine = rules.toSorted((a, b) => a.line - b.line);
    // No rule of a group stands before its first User-agent line.
    const firstLine = byLine[0]?.line ?? 2;
    lines[firstLine - 2] = "User-agent: *";
    for (const { kind, line, source } of byLine) lines[line - 1] = `${kind}:${source}`;
    if (crawlDelayMs !== null) lines.push(`Crawl-delay: ${crawlDelayMs / 1000}`);
    for (const sitemap of this.sitemaps)
      lines.push(`Sitemap: ${Buffer.from(sitemap, "utf8").toString("latin1")}`);
    return Buffer.from(lines.join("\n"), "latin1");
  }

  #groupFor(agentToken: string): Group {
    const token = productToken(agentToken);
    if (this.#group?.token === token) return this.#group;
    const named = this.#blocks.filter(({ tokens }) => tokens.has(token));
    this.#group =
      named.length > 0
        ? merged(token, token, named)
        : merged(
            token,
            "*",
            this.#blocks.filter(({ tokens }) => tokens.has("*")),
          );
    return this.#group;
  }
}

/**
 * Characters that rules with stars may cost one decision, which is some ten milliseconds: a thousand rules and the longest
 * path. A file of 500 KiB that is made to take time would hold up all other hosts by a tenth of a second with each URL.
 */
const starWorkMax = 2_000_000;

/**
 * The first rule that matches. Past the limit only what stands before the first star is looked at, in favour of the
 * site: such an allow matches nothing, such a disallow all that begins so.
 */
function firstMatch(rules: readonly CompiledRule[], path: string): CompiledRule | undefined {
  let work = 0;
  return rules.find(({ kind, pattern }) => {
    if (!pattern.begins(path)) return false;
    const cost = pattern.work(path.length);
    work += cost;
    return cost === 0 || work <= starWorkMax ? pattern.matches(path) : kind === "disallow";
  });
}

/** All blocks that name one token are one group (RFC 9309 §2.2.1). */
function merged(token: string, named: string, blocks: readonly Block[]): Group {
  // Compiled only here: most files are mostly about other crawlers.
  const rules = blocks
    .flatMap((block) => block.rules)
    .map((rule) => ({ ...rule, pattern: new RobotsPattern(rule.source) }))
    .sort(byPrecedence);
  let crawlDelayMs: number | null = null;
  for (const { tokens, delays } of blocks) {
    const place = tokens.get(named) ?? 0;
    for (const delay of delays) {
      if (place < delay.tokens) crawlDelayMs = Math.max(crawlDelayMs ?? 0, delay.delayMs);
    }
  }
  return { token, rules, crawlDelayMs };
}

/** Longest pattern first, allow before disallow, then the order of the file. */
function byPrecedence(a: CompiledRule, b: CompiledRule): number {
  return (
    b.pattern.octets - a.pattern.octets ||
    Number(a.kind === "disallow") - Number(b.kind === "disallow") ||
    a.line - b.line
  );
}

/** Seconds, with decimals or without, as milliseconds; null for anything else. */
function crawlDelay(value: string): number | null {
  return /^\d{1,9}(?:\.\d{0,9})?$|^\.\d{1,9}$/.test(value) ? Math.ceil(Number(value) * 1000) : null;
}

/** The group that a User-agent line opens: "*", or the product token in lower case; null where there is none. */
function groupToken(value: string): string | null {
  if (/^\*(?:\s|$)/.test(value)) return "*";
  return productToken(value) || null;
}

/** The leading characters that a product token may have (RFC 9309 §2.2.1), in lower case. */
function productToken(text: string): string {
  return (/^[A-Za-z_-]*/.exec(text)?.[0] ?? "").toLowerCase();
}

function utf8Of(octets: string): string {
  return Buffer.from(octets, "latin1").toString("utf8");
}
