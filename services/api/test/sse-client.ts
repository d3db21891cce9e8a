import { parseEvent, type StreamEvent } from "../src/event-parser.ts";

/** Reads server-sent events as the HTML standard has them, as far as the API sends them. */
export interface Message {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** The event of a message. Throws where there is none: no test here expects a message that can't be read. */
export function eventIn(message: Pick<Message, "event" | "data"> | null | undefined): StreamEvent {
  if (message === null || message === undefined) throw new Error("there is no message");
  const parsed = parseEvent(message.event, message.data);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.event;
}

export class SseReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";
  /** Comments seen. */
  comments = 0;

  constructor(stream: ReadableStream<string>) {
    this.#reader = stream.getReader();
  }

  static of(response: Response): SseReader {
    if (response.body === null) throw new Error("the answer has no body");
    return new SseReader(response.body.pipeThrough(new TextDecoderStream()));
  }

  /** The next message; null at the end of the stream. */
  async next(): Promise<Message | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const message = this.#messageOf(block);
        if (message !== null) return message;
        continue;
      }
      const { done, value } = await this.#reader.read();
      if (done) {
        if (this.#text !== "") throw new Error("the stream ends within a message");
        return null;
      }
      this.#text += value;
    }
  }

  async rest(): Promise<readonly Message[]> {
    const messages: Message[] = [];
    for (let message = await this.next(); message !== null; message = await this.next())
      messages.push(message);
    return messages;
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }

  #messageOf(block: string): Message | null {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      if (line.startsWith(":")) {
        this.comments += 1;
        continue;
      }
      const colon = line.indexOf(": ");
      if (colon < 0) throw new Error(`not a field: ${line}`);
      fields.set(line.slice(0, colon), line.slice(colon + 2));
    }
    const data = fields.get("data");
    return data === undefined
      ? null
      : { id: fields.get("id") ?? null, event: fields.get("event") ?? "", data };
  }
}
