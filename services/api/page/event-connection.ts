/** One job's event stream, kept up: EventSource can't send the token, so this reads the body of a fetch. */
import { backOffMs } from "./back-off.ts";
import { SseParser, type SseItem } from "./sse-parser.ts";

export type ConnectionState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  | { readonly kind: "lost"; readonly reason: string; readonly retryInMs: number }
  /** Everything has come; there is nothing to wait for. */
  | { readonly kind: "ended" }
  /** Asking again would not help. */
  | { readonly kind: "refused"; readonly status: number; readonly detail: string };

export interface ConnectionPorts {
  /** Asks for the stream; `lastId` empty: from its start. */
  readonly open: (lastId: string, signal: AbortSignal) => Promise<Response>;
  /** Returns what calls it off. */
  readonly after: (ms: number, run: () => void) => () => void;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export interface ConnectionListener {
  readonly onItems: (items: readonly SseItem[]) => void;
  readonly onState: (state: ConnectionState) => void;
  /** The stream begins anew: what came before will come again. */
  readonly onAnew: () => void;
  /** Whether the last event of the run has come. */
  readonly isOver: () => boolean;
}

/** The API sends a comment each 15 s: after three of them missed nobody is there. */
export const silenceMaxMs = 45_000;
/** Until the server names another. */
export const retryBaseMs = 1000;

type Outcome = Exclude<ConnectionState, { kind: "connecting" | "live" | "lost" }> | Lost;
interface Lost {
  readonly kind: "lost";
  readonly reason: string;
  /** As the server wants it. */
  readonly waitMs: number | null;
}

export class EventConnection {
  readonly #ports: ConnectionPorts;
  readonly #listener: ConnectionListener;
  #lastId = "";
  #baseMs = retryBaseMs;
  /** Tries since something came. */
  #failures = 0;
  /** Of the present try; null while none is made. */
  #try: AbortController | null = null;
  #callOffSilence: () => void = () => undefined;
  #callOffWait: (() => void) | null = null;

  constructor(ports: ConnectionPorts, listener: ConnectionListener) {
    this.#ports = ports;
    this.#listener = listener;
  }

  open(): void {
    this.close();
    const current = new AbortController();
    this.#try = current;
    this.#listener.onState({ kind: "connecting" });
    void this.#attempt(current);
  }

  /** Does not wait any longer, where it waits. */
  retryNow(): void {
    if (this.#callOffWait !== null) this.open();
  }

  /** From the first event on. */
  restart(): void {
    this.#forget();
    this.open();
  }

  close(): void {
    this.#callOffSilence();
    this.#callOffWait?.();
    this.#callOffWait = null;
    const current = this.#try;
    this.#try = null;
    current?.abort(new Error("the page has closed the stream"));
  }

  #forget(): void {
    this.#lastId = "";
    this.#listener.onAnew();
  }

  async #attempt(current: AbortController): Promise<void> {
    let outcome: Outcome;
    try {
      outcome = await this.#read(current);
    } catch (error) {
      const cause: unknown = current.signal.aborted ? current.signal.reason : error;
      outcome = {
        kind: "lost",
        reason: cause instanceof Error ? cause.message : String(cause),
        waitMs: null,
      };
    }
    if (this.#try !== current) return;
    this.#try = null;
    this.#callOffSilence();
    // What is left of the answer is of no use to anybody.
    current.abort();
    if (outcome.kind === "lost") this.#wait(outcome);
    else this.#listener.onState(outcome);
  }

  async #read(current: AbortController): Promise<Outcome> {
    this.#watch(current);
    const response = await this.#ports.open(this.#lastId, current.signal);
    if (response.status === 204) return { kind: "ended" };
    if (response.status !== 200) return await this.#refusal(response);
    if (response.body === null || !/^text\/event-stream\b/i.test(response.headers.get("content-type") ?? ""))
      return { kind: "lost", reason: "the answer is no event stream", waitMs: null };
    if (this.#try !== current) return { kind: "ended" };
    this.#listener.onState({ kind: "live" });
    const parser = new SseParser(this.#lastId);
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (this.#try !== current) return { kind: "ended" };
      if (done) break;
      this.#watch(current);
      this.#take(parser.push(value), parser.lastId);
      if (this.#try !== current) return { kind: "ended" };
    }
    if (this.#listener.isOver()) return { kind: "ended" };
    return { kind: "lost", reason: "the server has ended the stream", waitMs: null };
  }

  #take(items: readonly SseItem[], lastId: string): void {
    this.#lastId = lastId;
    for (const item of items) if (item.kind === "retry") this.#baseMs = Math.max(100, item.retryMs);
    if (items.some(({ kind }) => kind !== "retry")) this.#failures = 0;
    if (items.length > 0) this.#listener.onItems(items);
  }

  /** A server that is overloaded or away is asked again; one that knows better is not. */
  async #refusal(response: Response): Promise<Outcome> {
    const { status } = response;
    const detail = detailOf(await response.text()) ?? `the server answered ${status}`;
    if (status === 400 && this.#lastId !== "") {
      this.#forget();
      return { kind: "lost", reason: detail, waitMs: null };
    }
    if (status < 500 && status !== 408 && status !== 429) return { kind: "refused", status, detail };
    const seconds = /^\d{1,4}$/.exec(response.headers.get("retry-after") ?? "")?.[0];
    return { kind: "lost", reason: detail, waitMs: seconds === undefined ? null : Number(seconds) * 1000 };
  }

  #wait({ reason, waitMs }: Lost): void {
    this.#failures += 1;
    const backMs = backOffMs(this.#failures, this.#baseMs, this.#ports.random());
    const retryInMs = Math.max(waitMs ?? 0, backMs);
    this.#callOffWait = this.#ports.after(retryInMs, () => this.open());
    this.#listener.onState({ kind: "lost", reason, retryInMs });
  }

  #watch(current: AbortController): void {
    this.#callOffSilence();
    this.#callOffSilence = this.#ports.after(silenceMaxMs, () =>
      current.abort(new Error(`nothing has come for ${silenceMaxMs / 1000} s`)),
    );
  }
}

/** Of problem details (RFC 9457). */
function detailOf(text: string): string | null {
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found !== "object" || found === null || !("detail" in found)) return null;
    return typeof found.detail === "string" ? found.detail : null;
  } catch {
    return null;
  }
}
