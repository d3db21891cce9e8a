import { expect, test } from "vitest";
import { Restarts } from "../../src/kafkajs/restarts.ts";

const outage = Object.assign(new Error("broker away"), { retriable: true });

test("an outage is waited out for ever, with waits that grow to two seconds", () => {
  const restarts = new Restarts();
  const waits = Array.from({ length: 200 }, (_, index) => restarts.next(outage, index * 1_000));
  expect(waits.slice(0, 6)).toEqual([100, 200, 400, 800, 1_600, 2_000]);
  expect(waits.at(-1)).toBe(2_000);
});

test("after a calm time the waits are short again", () => {
  const restarts = new Restarts();
  for (let index = 0; index < 10; index++) restarts.next(outage, index);
  expect(restarts.next(outage, 31_000)).toBe(100);
});

test("the cause of an error tells an outage, too", () => {
  const restarts = new Restarts();
  const error = new Error("wrapped", { cause: outage });
  for (let index = 0; index < 50; index++) expect(restarts.next(error, index)).not.toBeNull();
});

test("an error that nobody can explain is tried ten times in a row, then the consumer is given up", () => {
  const restarts = new Restarts();
  const bug = new TypeError("x is undefined");
  for (let index = 0; index < 10; index++) expect(restarts.next(bug, index)).not.toBeNull();
  expect(restarts.next(bug, 11)).toBeNull();
});
