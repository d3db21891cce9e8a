import fc from "fast-check";
import { expect, test } from "vitest";
import { chunksOf, lastOffsets } from "../../src/kafkajs/record-chunks.ts";

const sent = fc.array(
  fc.record({
    topic: fc.constantFrom("a", "b"),
    partition: fc.nat(2),
    key: fc.option(fc.string({ maxLength: 5 })),
    value: fc.string({ maxLength: 120 }),
  }),
  { maxLength: 80 },
);

test("chunks keep every partition's records in order, and no share of a chunk is too large but a lone record's", () => {
  fc.assert(
    fc.property(sent, (records) => {
      const bytesMax = 300;
      const chunks = chunksOf(records, bytesMax);
      for (const { topic, partition } of records) {
        const shares = chunks.map((chunk) =>
          chunk
            .filter((part) => part.topic === topic)
            .flatMap(({ messages }) => messages.filter((message) => message.partition === partition)),
        );
        const expected = records.filter((record) => record.topic === topic && record.partition === partition);
        expect(shares.flat().map(({ value }) => value)).toEqual(expected.map(({ value }) => value));
        for (const share of shares) {
          const bytes = share.reduce((sum, { key, value }) => sum + `${key ?? ""}${value}`.length, 0);
          expect(share.length <= 1 || bytes <= bytesMax).toBe(true);
        }
      }
      for (const chunk of chunks) {
        expect(new Set(chunk.map(({ topic }) => topic)).size).toBe(chunk.length);
        expect(chunk.length).toBeGreaterThan(0);
      }
    }),
  );
});

test("last offsets count from the base offset of each partition", () => {
  const [chunk = []] = chunksOf(
    [1, 1, 0].map((partition) => ({ topic: "a", partition, key: null, value: "v" })),
  );
  const confirmed = [
    { topicName: "a", partition: 0, errorCode: 0, baseOffset: "7" },
    { topicName: "a", partition: 1, errorCode: 0, baseOffset: "40" },
  ];
  expect(lastOffsets(chunk, confirmed)).toEqual([
    { topic: "a", partition: 1, lastOffset: 41 },
    { topic: "a", partition: 0, lastOffset: 7 },
  ]);
});

test("a partition that was not confirmed is an error, not a loss", () => {
  const [chunk = []] = chunksOf([{ topic: "a", partition: 9, key: null, value: "v" }]);
  expect(() => lastOffsets(chunk, [])).toThrow("a-9");
});
