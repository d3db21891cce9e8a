import * as fc from "fast-check";
import { eventSchema } from "@sluice/records";
import { describe, expect, it } from "vitest";
import { formatPosition, parsePosition } from "../src/event-position.ts";
import { frame, isTerminal, parseEvent, parseStreamEvent, streamEventSchema } from "../src/stream-events.ts";
import { completedEvent, crawledEvent } from "./api-world.ts";
import { SseReader } from "./sse-client.ts";

const samples = [
  crawledEvent("a", 1, 1),
  completedEvent("a", 1),
  {
    type: "job_failed",
    job: "a",
    run: 1,
    atMs: 1,
    admitted: 0,
    done: 0,
    failed: 0,
    skipped: 0,
    durationMs: 0,
    error: "no",
  },
  { type: "urls_discovered", job: "a", run: 1, atMs: 1, url: "https://a.example/", count: 2, admitted: 1 },
];

describe("parsing an event", () => {
  it("never throws and gives null or an event that its schema accepts, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.string({ unit: "binary" })), (text) => {
        for (const parse of [parseEvent, parseStreamEvent]) {
          const event = parse(text);
          if (event !== null) expect(streamEventSchema.safeParse(event).success).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("gives back each event from its text, and null once anything in it is damaged", () => {
    for (const sample of samples) expect(parseEvent(JSON.stringify(sample))).toEqual(sample);
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.nat(), fc.anything(), (sample, at, value) => {
        const names = Object.keys(sample);
        const name = names[at % names.length] ?? "";
        const text = JSON.stringify({ ...sample, [name]: value });
        const damaged: unknown = JSON.parse(text);
        expect(parseEvent(text) !== null).toBe(eventSchema.safeParse(damaged).success);
      }),
      { numRuns: 2000 },
    );
    for (const sample of samples) {
      const text = JSON.stringify(sample);
      for (let end = 0; end < text.length; end += 1) expect(parseEvent(text.slice(0, end))).toBeNull();
    }
  });

  it("knows the events of the stream itself, and keeps them apart from those of the job", () => {
    const connected = JSON.stringify({ type: "stream_connected", job: "a", run: 1, atMs: 1 });
    expect(parseStreamEvent(connected)).toMatchObject({ type: "stream_connected" });
    expect(parseEvent(connected)).toBeNull();
    expect(parseEvent('{"type":"error"}')).toBeNull();
  });

  it("no event is called error, and three are the last of a run", () => {
    const types = [...streamEventSchema.options.slice(0, 2), ...eventSchema.options].map((each) =>
      String("shape" in each ? each.shape.type.value : ""),
    );
    expect(types).not.toContain("error");
    expect(types.filter((type) => isTerminal({ type } as never))).toEqual([
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
          expect(parseEvent(messages[0]?.data ?? "")).toEqual(JSON.parse(JSON.stringify(event)));
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
