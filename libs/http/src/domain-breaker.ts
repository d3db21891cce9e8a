/** The circuit breaker of one domain. */
import { EventEmitter } from "node:events";
import CircuitBreaker from "opossum";
import type { FetchAnswer, FetchRequest } from "./fetch-answer.ts";
import type { HttpClient } from "./fetch-page.ts";
import { categoryOf } from "./retry-policy.ts";

export type BreakerState = "closed" | "open" | "half_open";

export interface BreakerOptions {
  /** The clock of `retryAtMs`. */
  readonly nowMs: () => number;
  /** Failures within the window without which a breaker never opens. */
  readonly failuresMin?: number;
  /** Share of failures among the fetches of the window, from which on it opens. */
  readonly failureRatioMin?: number;
  /** Long, because politeness spaces the requests of one host by seconds and more. */
  readonly windowMs?: number;
  /** How long an open breaker lets nothing through. */
  readonly resetTimeoutMs?: number;
  /** When those may come back that met a half-open breaker whose probe was under way. */
  readonly probeWaitMs?: number;
  /** Past it the breaker used longest ago is dropped: its domain begins anew, closed. */
  readonly breakersMax?: number;
}

export interface BreakerOpen {
  readonly kind: "breaker_open";
  readonly retryAtMs: number;
}

export interface BreakerReport {
  /** After this call. */
  readonly state: BreakerState;
  /** This call moved the breaker; a failed probe does (half-open and open again, with a later `retryAtMs`). */
  readonly changed: boolean;
  /** When the next request may go through; null where it is closed. */
  readonly retryAtMs: number | null;
}

export interface GuardedAnswer {
  readonly answer: FetchAnswer | BreakerOpen;
  readonly breaker: BreakerReport;
}

type Circuit = CircuitBreaker<[FetchRequest, AbortSignal], FetchAnswer>;
/** What an answer says about the host: works, fails, or nothing (it was not asked, or not to the end). */
type Verdict = "works" | "fails" | "nothing";

/** Few, since they are most of what a breaker weighs; the window is exact to one of them. */
const windowBuckets = 5;
/** opossum counts what rejects; the answer itself travels inside. */
class FailedFetch extends Error {
  readonly answer: FetchAnswer;

  constructor(answer: FetchAnswer) {
    super("failed fetch");
    this.answer = answer;
  }
}

/**
 * opossum keeps the counts, the states and the gate that lets one probe through. Its two
 * clocks, both the system's, are taken out, since neither could be injected and each would be
 * a timer a domain:
 * - its window is rotated by an emitter of ours, by as many buckets as the injected clock has
 *   passed since the last fetch, so an idle breaker costs nothing;
 * - its `open` listeners (a timer towards half-open, and a flag in statistics that nobody
 *   reads) are removed; when the time has come by the injected clock, the circuit is replaced
 *   by one that starts half-open. Fetches that began before then still report to the old one,
 *   so a late failure can't close or reopen the new one.
 * The ratio is judged here because opossum's threshold counts requests, not failures.
 */
export class DomainBreaker {
  readonly #client: Pick<HttpClient, "fetch">;
  readonly #options: Required<BreakerOptions>;
  readonly #bucketMs: number;
  #rotation = new EventEmitter();
  #rotatedAtMs: number;
  #circuit: Circuit;
  #retryAtMs = 0;
  readonly bornAtMs: number;

  constructor(client: Pick<HttpClient, "fetch">, options: Required<BreakerOptions>) {
    this.#client = client;
    this.#options = options;
    this.#bucketMs = options.windowMs / windowBuckets;
    this.bornAtMs = options.nowMs();
    this.#rotatedAtMs = this.bornAtMs;
    this.#circuit = this.#create("closed");
  }

  async fetch(request: FetchRequest, signal: AbortSignal): Promise<GuardedAnswer> {
    const nowMs = this.#options.nowMs();
    const probing = this.#circuit.opened && nowMs >= this.#retryAtMs;
    if (probing) this.#circuit = this.#create("half_open");
    const circuit = this.#circuit;
    if (!circuit.closed && !circuit.pendingClose) {
      const retryAtMs = circuit.halfOpen ? nowMs + this.#options.probeWaitMs : this.#retryAtMs;
      return { answer: { kind: "breaker_open", retryAtMs }, breaker: { ...this.report(false), retryAtMs } };
    }
    this.#rotate(nowMs);
    const wasHalfOpen = circuit.halfOpen;
    const answer = await answerOf(circuit.fire(request, signal));
    return { answer, breaker: this.report(this.#judge(verdictOf(answer), wasHalfOpen) || probing) };
  }

  report(changed: boolean): BreakerReport {
    if (this.#circuit.closed) return { state: "closed", changed, retryAtMs: null };
    return { state: this.#circuit.halfOpen ? "half_open" : "open", changed, retryAtMs: this.#retryAtMs };
  }

  /** opossum has moved for a probe; for the rest the ratio is judged here. True where the state changed. */
  #judge(verdict: Verdict, wasProbe: boolean): boolean {
    const nowMs = this.#options.nowMs();
    const circuit = this.#circuit;
    if (wasProbe && verdict === "nothing") {
      // The probe told nothing: the next fetch is a probe again.
      this.#circuit = this.#create("half_open");
      this.#retryAtMs = nowMs;
      return false;
    }
    if (wasProbe && circuit.closed) {
      // What was counted while it was failing must not open it again.
      this.#circuit = this.#create("closed");
      return true;
    }
    if (!wasProbe && (verdict !== "fails" || !circuit.closed)) return false;
    if (!wasProbe) {
      const { failures, successes } = circuit.stats;
      const { failuresMin, failureRatioMin } = this.#options;
      if (failures < failuresMin || failures < failureRatioMin * (failures + successes)) return false;
      circuit.open();
    }
    this.#retryAtMs = nowMs + this.#options.resetTimeoutMs;
    return true;
  }

  #rotate(nowMs: number): void {
    const passed = Math.floor((nowMs - this.#rotatedAtMs) / this.#bucketMs);
    if (passed <= 0) return;
    this.#rotatedAtMs += passed * this.#bucketMs;
    for (let turn = 0; turn < Math.min(passed, windowBuckets); turn += 1) this.#rotation.emit("rotate");
  }

  #create(state: "closed" | "half_open"): Circuit {
    this.#rotation = new EventEmitter();
    const action = async (request: FetchRequest, signal: AbortSignal): Promise<FetchAnswer> => {
      const answer = await this.#client.fetch(request, signal);
      if (verdictOf(answer) === "works") return answer;
      throw new FailedFetch(answer);
    };
    const halfOpen = state === "half_open";
    const options: CircuitBreaker.Options<[FetchRequest, AbortSignal]> & {
      state?: Partial<CircuitBreaker.State>;
    } = {
      name: "fetch",
      // The client has deadlines of its own.
      timeout: false,
      enableSnapshots: false,
      rollingPercentilesEnabled: false,
      rollingCountBuckets: windowBuckets,
      rotateBucketController: this.#rotation,
      // Never reached by a share of at most 100 %: `#judge` opens a closed circuit, a failed probe a half-open one.
      errorThresholdPercentage: 100,
      // What tells nothing must not count as a failure (opossum then has it among the successes, which only delays
      // opening); as a probe it must not count as a success, which would close.
      ...(halfOpen
        ? { state: { closed: false, halfOpen: true } }
        : {
            errorFilter: (error: unknown) =>
              error instanceof FailedFetch && verdictOf(error.answer) === "nothing",
          }),
    };
    const circuit: Circuit = new CircuitBreaker(action, options);
    circuit.removeAllListeners("open");
    return circuit;
  }
}

async function answerOf(fired: Promise<FetchAnswer>): Promise<FetchAnswer> {
  try {
    return await fired;
  } catch (error) {
    if (error instanceof FailedFetch) return error.answer;
    throw error;
  }
}

function verdictOf(answer: FetchAnswer): Verdict {
  const category = categoryOf(answer);
  switch (category) {
    case "dns":
    case "connect":
    case "tls":
    case "timeout_connect":
    case "timeout_headers":
    case "timeout_body":
    case "timeout_total":
    case "reset":
    case "http_5xx":
      return "fails";
    case "cancelled":
    case "address_refused":
    case "unknown":
      return "nothing";
    // The host answered: whatever it thinks of the request, it is up.
    case "ok":
    case "redirect":
    case "http_4xx":
    case "http_429":
    case "protocol":
    case "too_large":
    case "decode":
    case "parse":
      return "works";
  }
}
