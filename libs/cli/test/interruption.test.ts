import { describe, expect, it } from "vitest";
import { Interruption } from "../src/interruption.ts";

describe("an interruption", () => {
  it("asks for an end in order at the first signal, and for one at once at the second, whichever they are", async () => {
    const heard: string[] = [];
    const interruption = new Interruption(
      (why) => heard.push(`first ${why}`),
      () => heard.push("second"),
    );
    expect(interruption.isRequested).toBe(false);
    interruption.signal("SIGINT");
    await interruption.requested;
    expect(interruption.isRequested).toBe(true);
    interruption.signal("SIGTERM");
    expect(heard).toEqual(["first SIGINT", "second"]);
  });

  it("that comes from within counts as a first one only", () => {
    const heard: string[] = [];
    const interruption = new Interruption(
      (why) => heard.push(`first ${why}`),
      () => heard.push("second"),
    );
    interruption.request("stdout is closed");
    interruption.request("stdout is closed");
    expect(heard).toEqual(["first stdout is closed"]);
    interruption.signal("SIGINT");
    expect(heard).toEqual(["first stdout is closed", "second"]);
  });
});
