import { readdirSync, readFileSync } from "node:fs";
import { replayTrace } from "@sluice/topology/testing";
import { describe, expect, test } from "vitest";
import { RateLimitTrace } from "./tracing.ts";

const folder = new URL("traces/", import.meta.url);

describe("rate-limit does what its traces say", () => {
  for (const file of readdirSync(folder).sort()) {
    test(file.replace(".txt", "").replaceAll("-", " "), async () => {
      const text = readFileSync(new URL(file, folder), "utf8");
      const replayed = replayTrace(text, new RateLimitTrace().perform);
      await expect(replayed).toMatchFileSnapshot(new URL(file, folder).pathname);
    });
  }
});
