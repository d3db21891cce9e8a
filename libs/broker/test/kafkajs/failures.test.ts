import { SluiceError } from "@sluice/errors";
import { expect, test } from "vitest";
import { commitFailed, endFailed, isFatal, isFenced, isPassing } from "../../src/kafkajs/failures.ts";

const protocol = (type: string, message = type): Error => Object.assign(new Error(message), { type });

test("a lost epoch means fenced, however deep it lies", () => {
  expect(isFenced(protocol("INVALID_PRODUCER_EPOCH"))).toBe(true);
  expect(isFenced(new Error("outer", { cause: protocol("INVALID_TXN_STATE") }))).toBe(true);
  expect(isFenced(protocol("KAFKAJS_UNKNOWN_ERROR_CODE", "Unknown error code 90"))).toBe(true);
  expect(isFenced(protocol("REQUEST_TIMED_OUT"))).toBe(false);
});

test("who may not end a transaction that a newer owner is about to abort is fenced", () => {
  for (const refused of [protocol("CONCURRENT_TRANSACTIONS"), protocol("UNKNOWN")]) {
    expect(isFenced(refused)).toBe(false);
    expect(commitFailed("committing", endFailed(refused))).toMatchObject({ fenced: true, cause: refused });
  }
  const lost = protocol("REQUEST_TIMED_OUT");
  expect(endFailed(lost)).toBe(lost);
});

test("a record too large is the cause of the failed commit, with the product's code", () => {
  const failed = commitFailed("committing", protocol("MESSAGE_TOO_LARGE"));
  expect(failed.fenced).toBe(false);
  expect(failed.cause).toBeInstanceOf(SluiceError);
  expect(failed.cause).toMatchObject({ code: "SLUICE_RECORD_TOO_LARGE" });
});

test("a failure that is one already stays as it is", () => {
  const failed = commitFailed("committing", protocol("INVALID_PRODUCER_EPOCH"));
  expect(commitFailed("again", failed)).toBe(failed);
});

test("rights and settings are fatal, outages are not", () => {
  expect(isFatal(protocol("GROUP_AUTHORIZATION_FAILED"))).toBe(true);
  const joined = Object.assign(new Error("several"), { errors: [protocol("TOPIC_AUTHORIZATION_FAILED")] });
  expect(isFatal(joined)).toBe(true);
  expect(isFatal(protocol("GROUP_LOAD_IN_PROGRESS"))).toBe(false);
});

test("only errors that pass by themselves are tried again at once", () => {
  expect(isPassing(protocol("CONCURRENT_TRANSACTIONS"))).toBe(true);
  expect(isPassing(protocol("INVALID_PRODUCER_EPOCH"))).toBe(false);
  expect(isPassing(new Error("Not connected"))).toBe(false);
});
