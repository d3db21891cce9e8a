import { expect, test } from "vitest";
import { Positions } from "../../src/kafkajs/positions.ts";

const at = { topic: "a", partition: 3 };

test("a jump forward continues the reader's position, like a hole, also over several jumps", () => {
  const positions = new Positions();
  positions.set(at, 5);
  positions.jump(at, 5, 9);
  positions.jump(at, 9, 12);
  expect(positions.get(at)).toEqual({ fetchOffset: 12, fromOffset: 5 });
});

test("a jump back is a new start", () => {
  const positions = new Positions();
  positions.set(at, 500);
  positions.jump(at, 500, 0);
  expect(positions.get(at)).toEqual({ fetchOffset: 0, fromOffset: 0 });
});

test("a jump from a position that a seek has left is no jump", () => {
  const positions = new Positions();
  positions.set(at, 7);
  positions.jump(at, 5, 9);
  expect(positions.get(at)).toEqual({ fetchOffset: 7, fromOffset: 7 });
});
