import type { Due } from "@sluice/records";
import type { Effect, LoadedEntries } from "@sluice/topology";
import type { HostLife } from "./dead-host.ts";
import { newPace, type Pace } from "./pace.ts";

export type Effects = Effect<never>[];

/** One domain: its pace, what waits, and the permits that are out. */
export interface Domain {
  readonly name: string;
  readonly pace: Pace;
  /** In order of arrival. */
  readonly waiting: Map<string, Due>;
  /** Release ids with a permit and no outcome, with the instant from which none is expected any more. */
  readonly out: Map<string, number>;
  /** Host names that fail now, where the domain is what several have in common; the latest last. */
  readonly lives: Map<string, HostLife>;
  /** What was last told to `crawl.hosts`. */
  told: string;
}

export class RateLimitState {
  readonly domains = new Map<string, Domain>();
  seq = 0;

  domain(name: string): Domain {
    let domain = this.domains.get(name);
    if (domain === undefined) {
      domain = { name, pace: newPace(), waiting: new Map(), out: new Map(), lives: new Map(), told: "" };
      this.domains.set(name, domain);
    }
    return domain;
  }
}

interface StoredDomain {
  /** One written by an older version lacks what has come since. */
  readonly pace: Partial<Pace>;
  readonly out: readonly string[];
  /** Instants of `out`, in its order. One written by an older version has none. */
  readonly outUntilMs?: readonly number[];
  readonly lives?: readonly (readonly [string, HostLife])[];
  readonly told: string;
}
interface StoredDue {
  readonly seq: number;
  readonly due: Due;
}

const keys = {
  domain: (name: string) => `d|${name}`,
  due: (name: string, releaseId: string) => `w|${name}|${releaseId}`,
};

export function loadState(entries: LoadedEntries): RateLimitState {
  const state = new RateLimitState();
  const waiting: [string, StoredDue][] = [];
  for (const [key, value] of entries.all("")) {
    const [kind, name] = key.split("|");
    if (name === undefined) continue;
    if (kind === "w") {
      waiting.push([name, value as StoredDue]);
      continue;
    }
    const stored = value as StoredDomain;
    state.domains.set(name, {
      name,
      pace: { ...newPace(), ...stored.pace },
      waiting: new Map(),
      // Without an instant it counts for as long as one that goes out now: see `expireOut`.
      out: new Map(stored.out.map((id, index) => [id, stored.outUntilMs?.[index] ?? Infinity])),
      lives: new Map(stored.lives),
      told: stored.told,
    });
  }
  waiting.sort(([, a], [, b]) => a.seq - b.seq);
  for (const [name, { seq, due }] of waiting) {
    state.domain(name).waiting.set(due.releaseId, due);
    state.seq = Math.max(state.seq, seq + 1);
  }
  return state;
}

export function keepWaiting(state: RateLimitState, domain: Domain, due: Due, out: Effects): void {
  domain.waiting.set(due.releaseId, due);
  const stored: StoredDue = { seq: state.seq, due };
  out.push({ kind: "put", key: keys.due(domain.name, due.releaseId), value: stored });
  state.seq += 1;
}

export function dropWaiting(domain: Domain, due: Due, out: Effects): void {
  domain.waiting.delete(due.releaseId);
  out.push({ kind: "put", key: keys.due(domain.name, due.releaseId), value: null });
}

export function saveDomain(domain: Domain, out: Effects): void {
  const stored: StoredDomain = {
    pace: domain.pace,
    out: [...domain.out.keys()],
    outUntilMs: [...domain.out.values()],
    ...(domain.lives.size === 0 ? {} : { lives: [...domain.lives] }),
    told: domain.told,
  };
  out.push({ kind: "put", key: keys.domain(domain.name), value: stored });
}

export function deleteDomain(state: RateLimitState, domain: Domain, out: Effects): void {
  state.domains.delete(domain.name);
  out.push({ kind: "put", key: keys.domain(domain.name), value: null });
}

export function hasWaiting(domain: Domain, job: string): boolean {
  for (const due of domain.waiting.values()) if (due.job === job) return true;
  return false;
}

/**
 * Permits whose outcome is so late that it must be lost give their place back; an instant that is not known
 * becomes `newUntilMs`.
 */
export function expireOut(domain: Domain, nowMs: number, newUntilMs: number): void {
  for (const [id, untilMs] of domain.out) {
    if (untilMs < nowMs) domain.out.delete(id);
    else if (untilMs === Infinity) domain.out.set(id, newUntilMs);
  }
}
