/** A sitemap from its octets, in whatever encoding it declares. */
import { encodingOf } from "./charset.ts";
import { SitemapParser, sitemapBytesMax, type Sitemap } from "./sitemap.ts";

/**
 * Reads a sitemap from its octets, which come in pieces and are no more than asked for: reading stops at the limits.
 * Never fails: what is cut, broken or beyond the limits is said in `truncated`, and what was read before is kept.
 * @param body unpacked; where it throws, the file was not unpacked to its end
 * @param url where it came from
 * @param contentType the header of the response, whose charset counts
 */
export async function readSitemap(
  body: AsyncIterable<Uint8Array>,
  url: string,
  contentType: string | null = null,
): Promise<Sitemap> {
  const parser = new SitemapParser(url);
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  let bytesLeft = sitemapBytesMax;
  try {
    for await (const piece of body) {
      const read = piece.subarray(0, bytesLeft);
      bytesLeft -= read.length;
      decoder ??= decoderOf(read, contentType);
      parser.write(decoder.decode(read, { stream: true }));
      if (read.length < piece.length) parser.truncate(`what is beyond ${sitemapBytesMax} bytes is not read`);
      if (!parser.wantsMore) break;
    }
    if (decoder !== null) parser.write(decoder.decode());
  } catch (error) {
    parser.truncate(`not unpacked to its end: ${error instanceof Error ? error.message : String(error)}`);
  }
  return parser.end();
}

/** The protocol asks for UTF-8; what a file or its header declares otherwise is believed. */
function decoderOf(start: Uint8Array, contentType: string | null): InstanceType<typeof TextDecoder> {
  const encoding = encodingOf(start, contentType, "utf-8");
  return new TextDecoder(encoding === "replacement" ? "utf-8" : encoding);
}
