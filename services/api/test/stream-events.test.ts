import * as fc from "fast-check";
import { eventSchemas } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { formatPosition, parsePosition } from "../src/event-position.ts";
import { frame, isTerminal, streamEventSchema } from "../src/stream-events.ts";
import { crawledEvent } from "./api-world.ts";
import { eventIn, SseReader } from "./sse-client.ts";

describe("the events of a stream", () => {
  it("are the eleven of the design, that of sitemaps and the gap, none of them called error, and three are the last of a run", () => {
    const [connected, gap] = streamEventSchema.options;
    const types = [connected.shape.type.value, ...Object.keys(eventSchemas)];
    expect(types).toEqual([
      "stream_connected",
      "url_started",
      "url_crawled",
      "urls_discovered",
      "url_failed",
      "sitemap_read",
      "sent_to_processing",
      "progress",
      "time_update",
      "job_completed",
      "job_failed",
      "job_timeout",
    ]);
    for (const [type, schema] of Object.entries(eventSchemas)) expect(schema.shape.type.value).toBe(type);
    const all = [...types, gap.shape.type.value];
    expect(all).not.toContain("error");
    expect(all.filter((type) => isTerminal({ type } as never))).toEqual([
      "job_completed",
      "job_failed",
      "job_timeout",
    ]);
  });
});

describe("a message", () => {
  it("is read back as it was, whatever is in the title", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.nat(),
        fc.nat(),
        async (title, partition, offset) => {
          const event = crawledEvent("a", 1, 1, title);
          const id = formatPosition({ partition, offset });
          const messages = await new SseReader(
            ReadableStream.from([frame(event, id), frame(event, null)]),
          ).rest();
          expect(messages.map((each) => [each.id, each.event])).toEqual([
            [id, "url_crawled"],
            [null, "url_crawled"],
          ]);
          expect(eventIn(messages[0])).toEqual(JSON.parse(JSON.stringify(event)));
        },
      ),
    );
  });
});

describe("a position", () => {
  it("is read back as it was, and nothing else is one", () => {
    fc.assert(
      fc.property(fc.nat({ max: 999_999_999 }), fc.nat(), (partition, offset) => {
        expect(parsePosition(formatPosition({ partition, offset }))).toEqual({ partition, offset });
      }),
    );
    for (const text of [
      "",
      "1",
      "1:",
      ":1",
      "1:2:3",
      "-1:2",
      "1:-2",
      "01:2",
      "1:02",
      "1.5:2",
      " 1:2",
      "1:2\n",
      "1:9999999999999999",
      "a:b",
    ])
      expect(parsePosition(text), text).toBeNull();
  });
});
