import { readdirSync, readFileSync } from "node:fs";
import { replayTrace } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { FrontierTrace } from "./tracing.ts";

const folder = new URL("traces/", import.meta.url);

describe("the frontier does what its traces say", () => {
  for (const file of readdirSync(folder).sort()) {
    test(file.replace(".txt", "").replaceAll("-", " "), async () => {
      const text = readFileSync(new URL(file, folder), "utf8");
      const tasks = Number(/^# tasks: ([0-9]+)$/m.exec(text)?.[1] ?? 1);
      const replayed = replayTrace(text, new FrontierTrace(tasks).perform);
      await expect(replayed).toMatchFileSnapshot(new URL(file, folder).pathname);
    });
  }
});
