/** Answers made by hand. */
import type { FetchFailure } from "@sluice/records";
import type { FetchAnswer } from "../src/index.ts";

export const statusAnswer = (status: number): FetchAnswer => ({
  kind: "response",
  status,
  headers: {},
  setCookies: [],
  body: new Uint8Array(0),
  truncated: false,
  bodySkipped: false,
  bodyBytes: 0,
  wireBytes: 0,
  remoteAddress: "127.0.0.1",
  ttfbMs: 0,
  durationMs: 0,
  location: null,
  httpVersion: "1.1",
});

export const failure = (category: FetchFailure): FetchAnswer => ({
  kind: "failed",
  category,
  code: "X",
  message: "",
  requestSent: false,
  durationMs: 0,
});
