import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { clientFor, failed, fetchOf, rawServer, responded, response, server200, textOf } from "./loopback.ts";

const page = `<html>${"<p>every word of it</p>\n".repeat(5_000)}</html>`;
const encoders: Readonly<Record<string, (bytes: Uint8Array) => Buffer>> = {
  gzip: gzipSync,
  "x-gzip": gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};

test.each(Object.keys(encoders))("removes %s", async (coding) => {
  const coded = encoders[coding]?.(Buffer.from(page)) ?? Buffer.alloc(0);
  await using site = await server200(coded, [`Content-Encoding: ${coding.toUpperCase()}`]);
  await using client = clientFor();
  const answer = responded(await fetchOf(client, site.origin));
  expect([textOf(answer), answer.truncated, answer.wireBytes]).toEqual([page, false, coded.length]);
  expect(client.connections.idle).toBe(1);
});

test("removes deflate without the zlib header", async () => {
  await using site = await server200(deflateRawSync(page), ["Content-Encoding: deflate"]);
  await using client = clientFor();
  expect(textOf(await fetchOf(client, site.origin))).toBe(page);
});

/** A frame that a decoder passes over (RFC 8878 §3.1.2). */
const skipped = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

/** As `pzstd` writes files: in frames, of which some are to be skipped. */
const zstdFrames = (bytes: Buffer): Buffer =>
  Buffer.concat([
    skipped,
    zstdCompressSync(bytes.subarray(0, bytes.length >> 1)),
    skipped,
    zstdCompressSync(bytes.subarray(bytes.length >> 1)),
  ]);

const named: Readonly<Record<string, { coding: string; encode: (bytes: Buffer) => Buffer }>> = {
  raw: { coding: "deflate", encode: deflateRawSync },
  frames: { coding: "zstd", encode: zstdFrames },
};

test("any layers of up to five codings, cut into any pieces, give the page back", async () => {
  const layers = fc.array(fc.constantFrom("gzip", "deflate", "br", "zstd", "raw", "frames"), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 5_000 }),
      layers,
      fc.integer({ min: 1, max: 400 }),
      async (bytes, names, size) => {
        let coded: Buffer = Buffer.from(bytes);
        for (const name of names) coded = (named[name]?.encode ?? encoders[name])?.(coded) ?? coded;
        const field = names.map((name) => named[name]?.coding ?? name).join(", ");
        const whole = response(coded, [`Content-Encoding: ${field}`]);
        await using site = await rawServer((socket) => {
          for (let at = 0; at < whole.length; at += size) socket.write(whole.subarray(at, at + size));
        });
        await using client = clientFor();
        const answer = responded(await fetchOf(client, site.origin));
        expect(Buffer.from(answer.body)).toEqual(Buffer.from(bytes));
        expect(answer.truncated).toBe(false);
      },
    ),
    { numRuns: 60 },
  );
});

test("refuses six layers before reading a byte of them", async () => {
  let coded: Buffer = Buffer.from(page);
  for (let layer = 0; layer < 6; layer += 1) coded = gzipSync(coded);
  await using site = await server200(coded, [
    `Content-Encoding: ${Array.from({ length: 6 }, () => "gzip").join(",")}`,
  ]);
  await using client = clientFor();
  expect(failed(await fetchOf(client, site.origin))).toMatchObject({
    category: "decode",
    code: "TOO_MANY_CODINGS",
  });
});

test.each(["none", "utf-8", "identity", "", "gzip, unknown"])(
  "leaves a body as it is whose coding is %j",
  async (coding) => {
    await using site = await server200("as it is", [`Content-Encoding: ${coding}`]);
    await using client = clientFor();
    expect(textOf(await fetchOf(client, site.origin))).toBe("as it is");
  },
);

const bombBytes = 11_511_612;
test.each(Object.keys(encoders))(
  "a bomb of %s gives its first bytes up to the limit, or is refused",
  async (coding) => {
    const bomb = encoders[coding]?.(Buffer.alloc(bombBytes, 0x61)) ?? Buffer.alloc(0);
    expect(bomb.length).toBeLessThan(40_000);
    await using site = await server200(bomb, [`Content-Encoding: ${coding}`]);
    await using client = clientFor();
    const cut = responded(await fetchOf(client, site.origin, { bodyBytesMax: 1_000_000 }));
    expect([cut.truncated, cut.bodyBytes, cut.body.every((byte) => byte === 0x61)]).toEqual([
      true,
      1_000_000,
      true,
    ]);
    const refused = failed(
      await fetchOf(client, site.origin, { bodyBytesMax: 1_000_000, onTooLarge: "refuse" }),
    );
    expect(refused.category).toBe("too_large");
  },
);

test("a bomb between two layers ends too, although it never gives a byte of body", async () => {
  // A gigabyte of empty stored blocks is a valid deflate stream of nothing.
  const nothing = Buffer.alloc(5 * 4_000_000);
  for (let at = 0; at < nothing.length; at += 5) nothing.writeUInt16LE(0xffff, at + 3);
  await using site = await server200(gzipSync(nothing), ["Content-Encoding: deflate, gzip"]);
  await using client = clientFor();
  const answer = failed(await fetchOf(client, site.origin, { bodyBytesMax: 100_000, onTooLarge: "refuse" }));
  expect(answer.category).toBe("too_large");
});

test.each(Object.keys(encoders))(
  "%s that ends early keeps its readable prefix and is marked as cut",
  async (coding) => {
    const text = Array.from({ length: 20_000 }, (_, n) => `line ${n * 7_919}\n`).join("");
    const coded = encoders[coding]?.(Buffer.from(text)) ?? Buffer.alloc(0);
    await using site = await server200(coded.subarray(0, coded.length - 20), [`Content-Encoding: ${coding}`]);
    await using client = clientFor();
    const answer = responded(await fetchOf(client, site.origin));
    expect(answer.truncated).toBe(true);
    expect(text.startsWith(textOf(answer))).toBe(true);
    // zstd gives whole blocks of up to 128 KiB only (RFC 8878 §3.1.1.2.4).
    expect(answer.bodyBytes).toBeGreaterThan(coding === "zstd" ? 100_000 : text.length * 0.9);
  },
);

test.each([
  [200, false],
  [300, true],
])("a body of %i frames of zstd is cut off: %s", async (count, truncated) => {
  const frames = Array.from({ length: count }, () => zstdCompressSync(Buffer.from("0123456789")));
  await using site = await rawServer((socket) => {
    socket.end(response(Buffer.concat(frames), ["Content-Encoding: zstd"]));
  });
  await using client = clientFor();
  const answer = responded(await fetchOf(client, site.origin));
  expect(answer.truncated).toBe(truncated);
  expect(answer.bodyBytes).toBe(truncated ? 2_560 : 2_000);
});

test.each(["gzip", "br", "zstd", "deflate"])(
  "a body that is not %s as it says is a failure of kind decode",
  async (coding) => {
    await using site = await server200("<html>not coded at all</html>", [`Content-Encoding: ${coding}`]);
    await using client = clientFor();
    const answer = failed(await fetchOf(client, site.origin));
    expect([answer.category, answer.requestSent, answer.code === ""]).toEqual(["decode", true, false]);
  },
);

test("an empty body has no coding to remove", async () => {
  await using site = await server200("", ["Content-Encoding: gzip"]);
  await using client = clientFor();
  expect(responded(await fetchOf(client, site.origin))).toMatchObject({ truncated: false, bodyBytes: 0 });
});

test("endless coded bytes that decode to nothing end at the limit", async () => {
  const emptyBlocks = Buffer.alloc(65_535);
  for (let at = 0; at < emptyBlocks.length; at += 5) emptyBlocks.writeUInt16LE(0xffff, at + 3);
  await using site = await rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n");
    const pour = (): void => {
      while (!socket.destroyed && socket.write(emptyBlocks));
    };
    socket.on("drain", pour);
    pour();
  });
  await using client = clientFor();
  const answer = responded(await fetchOf(client, site.origin, { bodyBytesMax: 100_000 }));
  expect([answer.truncated, answer.bodyBytes]).toEqual([true, 0]);
  await site.closed(1);
});
