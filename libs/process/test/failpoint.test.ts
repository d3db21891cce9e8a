import { failpoints } from "@sluice/runtime";
import { describe, expect, test } from "vitest";
import { killAtFailpoint } from "../src/failpoint.ts";

function killsOf(text: string, passed: readonly (typeof failpoints)[number][]): number[] {
  const kills: number[] = [];
  let at = 0;
  const onFailpoint = killAtFailpoint(text, () => kills.push(at));
  for (const name of passed) {
    at += 1;
    onFailpoint?.(name);
  }
  return kills;
}

describe("a failpoint", () => {
  test("is none where the text is empty", () => {
    expect(killAtFailpoint("")).toBeUndefined();
  });

  test("kills when its point is passed for that time, once, whatever else is passed", () => {
    const passed = [
      "after_send_offsets",
      "after_send",
      "after_send",
      "after_commit_sent",
      "after_send",
      "after_send",
    ] as const;
    expect(killsOf("after_send:3", passed)).toEqual([5]);
    expect(killsOf("after_send:1", passed)).toEqual([2]);
    expect(killsOf("after_send", passed)).toEqual([2]);
    expect(killsOf("after_assignment_before_fence:1", passed)).toEqual([]);
  });

  test.each(failpoints)("%s can be named", (name) => {
    expect(killsOf(`${name}:1`, [name])).toEqual([1]);
  });

  test.each([
    "nowhere:1",
    "nowhere",
    ":1",
    "after_send:",
    "after_send:0",
    "after_send:-1",
    "after_send:1.5",
    "after_send:x",
    "after_send:1:2",
    " after_send:1",
  ])("is refused where it means nothing: %j", (text) => {
    expect(() => killAtFailpoint(text)).toThrow(
      expect.objectContaining({ code: "SLUICE_CONFIG_INVALID", field: "SLUICE_FAILPOINT" }),
    );
  });
});
