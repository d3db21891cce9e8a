/** One line a request, written as the request begins, for those who want to see that hosts are asked as they should be. */
import type { FetchRequest, HttpClient } from "@sluice/http";
import { hostOf } from "@sluice/records";
import type { FetchCall, RequestWait } from "./calls.ts";

export interface AuditLine extends RequestWait {
  readonly host: string;
  /** What the host shares its clock with; itself, or its registrable domain. */
  readonly domain: string;
  readonly kind: FetchCall["kind"];
  readonly url: string;
}

export class RequestAudit {
  readonly #write: (line: AuditLine) => void;
  readonly #lines = new WeakMap<FetchRequest, AuditLine>();

  constructor(write: (line: AuditLine) => void) {
    this.#write = write;
  }

  /** The client, writing the line of each request that really goes out: an open breaker lets none through. */
  around(client: Pick<HttpClient, "fetch">): Pick<HttpClient, "fetch"> {
    return {
      fetch: (request, signal) => {
        const line = this.#lines.get(request);
        if (line !== undefined && !signal.aborted) this.#write(line);
        return client.fetch(request, signal);
      },
    };
  }

  /** What the line of a request will say. */
  expect(request: FetchRequest, { kind, domain, url, wait }: FetchCall): void {
    this.#lines.set(request, { host: hostOf(url), domain, kind, url, ...wait });
  }
}
