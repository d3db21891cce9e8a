import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SseParser, type SseItem } from "../../page/sse-parser.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(bytes: Uint8Array, cuts: readonly number[], charsMax?: number): readonly SseItem[] {
  const parser = new SseParser("", charsMax);
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).flatMap((edge, index) => parser.push(bytes.subarray(edges[index], edge)));
}

const message = (event: string, data: string, id: string | null = null): SseItem => ({
  kind: "message",
  id,
  event,
  data,
});

const lineEnd = fc.constantFrom("\n", "\r\n", "\r");
/** Text of any language; a line's end, a NUL and a byte order mark mean something of their own. */
const word = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .map((text) => text.replaceAll(/[\r\n\0\uFEFF]/g, "_"));
const block = fc.record({
  id: fc.option(word),
  event: word,
  data: fc.array(word, { minLength: 1, maxLength: 3 }),
  comment: fc.boolean(),
  end: lineEnd,
});

describe("the reader of server-sent events", () => {
  it("finds the same messages wherever the bytes are cut and whatever ends the lines", () => {
    fc.assert(
      fc.property(
        fc.array(block, { maxLength: 6 }),
        fc.array(fc.nat(2000), { maxLength: 40 }),
        fc.boolean(),
        (blocks, cuts, withMark) => {
          const text = blocks
            .map(({ id, event, data, comment, end }) =>
              [
                ...(comment ? [": still here"] : []),
                ...(id === null ? [] : [`id: ${id}`]),
                `event: ${event}`,
                ...data.map((line) => `data: ${line}`),
                "",
                "",
              ].join(end),
            )
            .join("");
          const bytes = bytesOf((withMark ? "\uFEFF" : "") + text);
          const expected = blocks.map(({ id, event, data }) => message(event, data.join("\n"), id));
          const inside = cuts.map((cut) => cut % (bytes.length + 1));
          const everywhere = Array.from({ length: bytes.length }, (_, index) => index);
          expect(read(bytes, inside)).toEqual(expected);
          expect(read(bytes, everywhere)).toEqual(expected);
        },
      ),
    );
  });

  it("takes fields as the standard has them", () => {
    const text = [
      "data:no blank\n\n",
      "data:  two blanks\n\n",
      "data\ndata\n\n",
      "event: named\ndata: 1\n\n",
      "event: forgotten\n\n",
      "data: after it\n\n",
      "other: x\nid: 7\nid: with\0nul\ndata: 2\n\n",
      "data: never ended",
    ].join("");
    const parser = new SseParser("3");
    expect(parser.push(bytesOf(text))).toEqual([
      message("message", "no blank"),
      message("message", " two blanks"),
      message("message", "\n"),
      message("named", "1"),
      message("message", "after it"),
      message("message", "2", "7"),
    ]);
    expect(parser.lastId).toBe("7");
    parser.push(bytesOf("\n\nid\n\n"));
    expect(parser.lastId).toBe("");
  });

  it("counts an id only when its message has ended, for that is what has been taken", () => {
    const parser = new SseParser("0:1");
    parser.push(bytesOf("id: 0:2\ndata: x\n"));
    expect(parser.lastId).toBe("0:1");
    parser.push(bytesOf("\n"));
    expect(parser.lastId).toBe("0:2");
  });

  it("tells the wait that the server asks for, and nothing of one that is no number", () => {
    expect(read(bytesOf("retry: 3000\n\nretry: soon\n\nretry: -1\n\n"), [])).toEqual([
      { kind: "retry", retryMs: 3000 },
    ]);
  });

  it("throws a message away that is too long, in one line or in many, and reads on with the next", () => {
    const many = "data: yyyyyyyyyyyyyyyyyyyy\n".repeat(20);
    const expected = [{ kind: "overlong" }, { kind: "overlong" }, message("message", "short")];
    for (let length = 100; length < 310; length += 1) {
      const bytes = bytesOf(`id: 1\ndata: ${"x".repeat(length)}\ndata: rest\n\n${many}\ndata: short\n\n`);
      const everywhere = Array.from({ length: bytes.length }, (_, index) => index);
      expect(read(bytes, [], 100)).toEqual(expected);
      expect(read(bytes, everywhere, 100)).toEqual(expected);
    }
  });

  it("does not fail on bytes that are no text", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (bytes, cuts) => {
        const inside = cuts.map((cut) => cut % (bytes.length + 1));
        expect(read(bytes, inside)).toEqual(read(bytes, []));
      }),
    );
  });
});
