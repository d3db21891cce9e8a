/** Asks the API, with the token where there is one; what goes wrong is a value. */
import type { FieldError } from "./job-order.ts";

export type Answer<Body> =
  | { readonly kind: "ok"; readonly body: Body }
  | {
      readonly kind: "problem";
      /** 0: nobody answered. */
      readonly status: number;
      readonly detail: string;
      readonly errors: readonly FieldError[];
    };

/** As of sessionStorage. */
export interface TokenStore {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
  removeItem(name: string): void;
}

export interface ApiClientOptions {
  /** Ends in a slash. */
  readonly baseUrl: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly tokens: TokenStore;
  /** The API wants a token, or another than the one it was given. */
  readonly onUnauthorized: () => void;
}

const tokenName = "sluice-token";
/** An answer that takes longer is given up. */
const answerMaxMs = 20_000;

export class ApiClient {
  readonly #options: ApiClientOptions;

  constructor(options: ApiClientOptions) {
    this.#options = options;
  }

  get hasToken(): boolean {
    return this.#options.tokens.getItem(tokenName) !== null;
  }

  setToken(token: string | null): void {
    const { tokens } = this.#options;
    if (token === null) tokens.removeItem(tokenName);
    else tokens.setItem(tokenName, token);
  }

  get<Body>(path: string): Promise<Answer<Body>> {
    return this.#ask<Body>(path, {});
  }

  /** @param key Idempotency-Key: asked again with it, nothing happens twice */
  post<Body>(path: string, body: object | null, key: string | null = null): Promise<Answer<Body>> {
    const headers = new Headers();
    if (body !== null) headers.set("content-type", "application/json");
    if (key !== null) headers.set("idempotency-key", key);
    return this.#ask<Body>(path, {
      method: "POST",
      headers,
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** A stream's answer as it is, its body not read. Rejects where nobody answers. */
  async openStream(path: string, lastId: string, signal: AbortSignal): Promise<Response> {
    const headers = new Headers({ accept: "text/event-stream" });
    if (lastId !== "") headers.set("last-event-id", lastId);
    return this.#send(path, { headers, signal });
  }

  async #ask<Body>(path: string, init: RequestInit): Promise<Answer<Body>> {
    try {
      const response = await this.#send(path, { ...init, signal: AbortSignal.timeout(answerMaxMs) });
      const text = await response.text();
      if (response.ok) return { kind: "ok", body: JSON.parse(text) as Body };
      return problemOf(response.status, text);
    } catch (error) {
      const detail = `The API did not answer: ${error instanceof Error ? error.message : String(error)}`;
      return { kind: "problem", status: 0, detail, errors: [] };
    }
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    const { baseUrl, fetch, tokens, onUnauthorized } = this.#options;
    const headers = new Headers(init.headers);
    const token = tokens.getItem(tokenName);
    if (token !== null) headers.set("authorization", `Bearer ${token}`);
    const response = await fetch(baseUrl + path, {
      ...init,
      headers,
      cache: "no-store",
      credentials: "omit",
    });
    if (response.status === 401) onUnauthorized();
    return response;
  }
}

/** Problem details (RFC 9457), or whatever something between says instead. */
function problemOf(status: number, text: string): Extract<Answer<never>, { kind: "problem" }> {
  let found: unknown = null;
  try {
    found = JSON.parse(text);
  } catch {
    // Not JSON: then the status has to do.
  }
  const { detail, errors } = (typeof found === "object" && found !== null ? found : {}) as {
    readonly detail?: unknown;
    readonly errors?: unknown;
  };
  return {
    kind: "problem",
    status,
    detail: typeof detail === "string" ? detail : `The server answered ${status}.`,
    errors: Array.isArray(errors) ? errors.filter(isFieldError) : [],
  };
}

function isFieldError(value: unknown): value is FieldError {
  return (
    typeof value === "object" &&
    value !== null &&
    "field" in value &&
    typeof value.field === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}
