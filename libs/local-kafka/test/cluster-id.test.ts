import { describe, expect, it } from "vitest";
import { clusterId } from "../src/jvm-broker.ts";

describe("the id of a new cluster", () => {
  it("is 22 letters of base64url of which the first is no hyphen, which would read as an option", () => {
    // 0xf8 begins a base64url text with a hyphen.
    const drawn = [Buffer.alloc(16, 0xf8), Buffer.alloc(16, 0xfb), Buffer.alloc(16, 7)];
    expect(drawn.map((bytes) => bytes.toString("base64url")[0])).toEqual(["-", "-", "B"]);
    expect(clusterId(() => drawn.shift() ?? Buffer.alloc(16))).toBe(
      Buffer.alloc(16, 7).toString("base64url"),
    );
    expect(clusterId()).toMatch(/^[\w][\w-]{21}$/);
  });
});
