/** Server-sent events out of bytes, as the HTML standard has them (§9.2.6), cut anywhere. */

export type SseItem =
  /** `id` null: the message has none of its own. */
  | { readonly kind: "message"; readonly id: string | null; readonly event: string; readonly data: string }
  /** How long the server wants a client to wait before it comes back. */
  | { readonly kind: "retry"; readonly retryMs: number }
  /** A message longer than is kept; it was thrown away. */
  | { readonly kind: "overlong" };

/** Most characters of one message; a stream that never ends its line would fill the memory else. */
export const messageCharsMax = 1024 * 1024;

const lineEnd = /\r\n|\n|\r/g;

export class SseParser {
  readonly #decoder = new TextDecoder();
  readonly #charsMax: number;
  /** Of the last message that has ended; empty where none had one. */
  #lastId: string;
  /** What came since the last end of a line. */
  #pending = "";
  /** The text so far ends with a CR: an LF right after it belongs to it. */
  #afterCr = false;
  #data: string[] = [];
  #dataChars = 0;
  #event = "";
  #id: string | null = null;
  #overlong = false;

  /** @param lastId that with which the stream was asked for */
  constructor(lastId = "", charsMax = messageCharsMax) {
    this.#lastId = lastId;
    this.#charsMax = charsMax;
  }

  get lastId(): string {
    return this.#lastId;
  }

  /** What is complete by these bytes. A message that the stream leaves unfinished never comes. */
  push(bytes: Uint8Array): readonly SseItem[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return [];
    const items: SseItem[] = [];
    if (this.#afterCr && text.startsWith("\n")) text = text.slice(1);
    let from = 0;
    for (const { 0: end, index } of text.matchAll(lineEnd)) {
      this.#line(this.#pending + text.slice(from, index), items);
      this.#pending = "";
      from = index + end.length;
    }
    this.#afterCr = text.endsWith("\r");
    this.#pending += text.slice(from);
    if (this.#pending.length + this.#dataChars > this.#charsMax) {
      this.#overlong = true;
      // The rest of the line is then read as a comment.
      this.#pending = ":";
    }
    return items;
  }

  #line(line: string, items: SseItem[]): void {
    if (line === "") return this.#dispatch(items);
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    switch (name) {
      case "event":
        this.#event = value;
        return;
      case "data":
        this.#data.push(value);
        this.#dataChars += value.length + 1;
        if (this.#dataChars <= this.#charsMax) return;
        this.#overlong = true;
        this.#data = [];
        return;
      case "id":
        if (!value.includes("\0")) this.#id = value;
        return;
      case "retry":
        if (/^\d{1,9}$/.test(value)) items.push({ kind: "retry", retryMs: Number(value) });
        return;
      default:
        return;
    }
  }

  #dispatch(items: SseItem[]): void {
    const id = this.#id;
    this.#lastId = id ?? this.#lastId;
    const data = this.#data.join("\n");
    if (this.#overlong) items.push({ kind: "overlong" });
    else if (data !== "") items.push({ kind: "message", id, event: this.#event || "message", data });
    this.#data = [];
    this.#dataChars = 0;
    this.#event = "";
    this.#id = null;
    this.#overlong = false;
  }
}
