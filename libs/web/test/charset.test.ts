import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodedPieces } from "../src/charset.ts";
import { decodeBody } from "../src/index.ts";
import { describeWithData, readJson } from "./shared-data.ts";

const latin = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("decodeBody", () => {
  test("takes a byte order mark before the header, and the header before the page", () => {
    const meta = '<meta charset="iso-8859-2">';
    expect(decodeBody(Buffer.from(`\ufeff${meta}ü`), "text/html; charset=latin1")).toEqual({
      text: `${meta}ü`,
      encoding: "utf-8",
    });
    expect(decodeBody(Buffer.from("\ufeffü", "utf16le"), null)).toEqual({ text: "ü", encoding: "utf-16le" });
    expect(decodeBody(latin(`${meta}\xfc`), "text/html; charset=koi8-r").encoding).toBe("koi8-r");
    expect(decodeBody(latin(`${meta}\xb1`), "text/html")).toEqual({
      text: `${meta}ą`,
      encoding: "iso-8859-2",
    });
    expect(decodeBody(latin(`${meta}\xb1`), "text/html; charset=nonsense").encoding).toBe("iso-8859-2");
  });

  test("takes windows-1252 where nothing is declared, as the label latin1 means too", () => {
    expect(decodeBody(latin("\x80\xfc"), "text/html")).toEqual({ text: "€ü", encoding: "windows-1252" });
    expect(decodeBody(latin("\x80"), "text/html; charset=iso-8859-1").text).toBe("€");
  });

  test("takes UTF-8 for JSON and XML where nothing is declared", () => {
    expect(decodeBody(Buffer.from('"ü"'), "application/json")).toEqual({ text: '"ü"', encoding: "utf-8" });
    expect(decodeBody(Buffer.from("<a>ü</a>"), "application/rss+xml").text).toBe("<a>ü</a>");
    expect(decodeBody(latin('<?xml version="1.0" encoding="iso-8859-2"?>\xb1'), "text/xml").text).toContain(
      "ą",
    );
  });

  test("never decodes what can hide markup: UTF-7 is not known, ISO-2022-KR becomes one U+FFFD", () => {
    expect(decodeBody(latin("+ADw-script+AD4-"), "text/html; charset=utf-7").text).toBe("+ADw-script+AD4-");
    expect(decodeBody(latin("abc"), "text/html; charset=iso-2022-kr")).toEqual({
      text: "\ufffd",
      encoding: "replacement",
    });
  });

  test("finds a declaration after a long script, and looks no further than 16 KiB", () => {
    const declared = (before: number): string =>
      decodeBody(latin(`${" ".repeat(before)}<meta charset=koi8-r>`), "text/html").encoding;
    expect([declared(1020), declared(8000), declared(1_000_000)]).toEqual([
      "koi8-r",
      "koi8-r",
      "windows-1252",
    ]);
  });

  test("never throws, whatever the bytes and the header", () => {
    const headers = fc.oneof(
      fc.string(),
      fc.constantFrom("text/html; charset=gb18030", "text/html; charset=utf-16"),
    );
    fc.assert(
      fc.property(fc.uint8Array(), headers, (bytes, header) => {
        expect(typeof decodeBody(bytes, header).text).toBe("string");
      }),
    );
  });
});

describe("a large body, decoded in pieces,", () => {
  const encodings = [
    "utf-8",
    "windows-1252",
    "iso-8859-2",
    "koi8-r",
    "gb18030",
    "shift_jis",
    "euc-kr",
    "iso-2022-jp",
    "utf-16le",
    "utf-16be",
    "replacement",
  ];
  /** No piece ends where these do. */
  const units = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 7 }),
    fc.constantFrom("é", "€", "😀", "\ufeff", "\u001b$B%F\u001b(B", "plain").map((text) => Buffer.from(text)),
    fc
      .constantFrom([0xe2, 0x82], [0xf0, 0x9f, 0x98], [0x80, 0x80, 0x80, 0x80, 0x80], [0xc0], [0x81])
      .map((octets) => Uint8Array.from(octets)),
  );

  test("is the text that it is as a whole, whatever stands where the pieces meet", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...encodings),
        fc.array(units, { minLength: 1, maxLength: 40 }),
        fc.nat(9),
        (encoding, parts, shift) => {
          const unit = Buffer.concat(parts);
          const body = Buffer.concat([
            Buffer.alloc(shift, 32),
            ...Array.from({ length: Math.ceil(300_000 / unit.length) }, () => unit),
          ]);
          const pieces = [...decodedPieces(body, encoding)];
          expect(pieces.length).toBeGreaterThan(encoding === "replacement" ? 0 : 8);
          const whole = decodeBody(
            body,
            `text/html; charset=${encoding === "replacement" ? "iso-2022-kr" : encoding}`,
          );
          // A mark at its start would say another encoding.
          fc.pre(whole.encoding === encoding);
          expect(pieces.join("") === whole.text).toBe(true);
        },
      ),
      { numRuns: 150 },
    );
  });
});

interface Row {
  readonly source: string;
  readonly name: string;
  readonly html_base64: string;
  readonly encoding: string;
}

/** Rows where we answer otherwise, and why. */
const misses = {
  "html5lib-tests encoding/scripted/tests1.dat #0":
    "the declaration is written by a script, which is not run",
};

describeWithData("the encoding of html5lib's and jsdom's test pages", ["html-encoding.json"], () => {
  test("is what a browser uses on 98 of 99, and the miss is listed", () => {
    const rows = readJson<Row[]>("html-encoding.json");
    const missed = rows.filter(({ html_base64, encoding }) => {
      const expected = new TextDecoder(encoding).encoding;
      return decodeBody(Buffer.from(html_base64, "base64"), null).encoding !== expected;
    });
    expect(missed.map(({ source, name }) => `${source} ${name}`)).toEqual(Object.keys(misses));
    expect(rows).toHaveLength(99);
  });
});
