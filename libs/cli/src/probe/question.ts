/** One line of a probe's input, as a JSON object whose fields are read with their checks. */
import { canonicalize, type CanonicalUrl } from "@sluice/web";

/** A line that can't be answered, and the field that is at fault; null where it is the line as a whole. */
export class QuestionError extends Error {
  override readonly name = "QuestionError";
  readonly field: string | null;

  constructor(field: string | null, message: string) {
    super(message);
    this.field = field;
  }
}

export class Question {
  readonly #fields: Readonly<Record<string, unknown>>;

  /** @throws QuestionError for anything but a JSON object */
  constructor(line: string) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new QuestionError(null, `no JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new QuestionError(null, "no JSON object");
    this.#fields = value as Readonly<Record<string, unknown>>;
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#fields, field);
  }

  /** @throws QuestionError where it is missing or no string */
  text(field: string): string {
    const value = this.has(field) ? this.#fields[field] : undefined;
    if (value === undefined) throw new QuestionError(field, `${field} is missing`);
    if (typeof value !== "string") throw new QuestionError(field, `${field} is no string`);
    return value;
  }

  /** Null where it is missing or null. */
  optionalText(field: string): string | null {
    return this.has(field) && this.#fields[field] !== null ? this.text(field) : null;
  }

  flag(field: string): boolean {
    const value = this.has(field) ? this.#fields[field] : false;
    if (typeof value !== "boolean") throw new QuestionError(field, `${field} is neither true nor false`);
    return value;
  }

  texts(field: string): readonly string[] {
    const value = this.has(field) ? this.#fields[field] : [];
    if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value as string[];
    throw new QuestionError(field, `${field} is no array of strings`);
  }

  /** Octets: `<name>_base64`, or `<name>` as text, which stands for its UTF-8. */
  octets(name: string): Uint8Array {
    const coded = `${name}_base64`;
    if (!this.has(coded) && this.has(name)) return Buffer.from(this.text(name));
    const text = this.text(coded);
    if (!isBase64(text)) throw new QuestionError(coded, `${coded} is no base64`);
    return Buffer.from(text, "base64");
  }

  /** A URL that can be crawled, canonical. */
  url(field: string): CanonicalUrl {
    const url = canonicalize(this.text(field));
    if (url.kind === "url") return url;
    throw new QuestionError(field, `${field} is no URL that can be crawled: ${url.detail}`);
  }
}

/** With its padding or without; one character alone is no octet. */
function isBase64(text: string): boolean {
  return base64.test(text) && text.replace(/[\s=]+/g, "").length % 4 !== 1;
}

const base64 = /^[A-Za-z0-9+/\s]*={0,2}\s*$/;
