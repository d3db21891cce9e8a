/** Character references of HTML (HTML §13.2.5.72), decoded only where a text has one: most have none. */
import { Tokenizer, type TokenizerCallbacks } from "htmlparser2";

/** `text` of an element with its character references decoded. */
export function decodeText(text: string): string {
  if (!text.includes("&")) return text;
  // In a textarea everything but a character reference is text, whatever it looks like, but for the textarea's end.
  return decoded("<textarea>", text.replaceAll("<", "&#60;"), "");
}

/** An attribute's value with its character references decoded; other rules than in text hold before "=". */
export function decodeAttribute(value: string): string {
  if (!value.includes("&")) return value;
  return decoded('<a b="', value.replaceAll('"', "&#34;"), '">');
}

function decoded(before: string, text: string, after: string): string {
  const source = before + text + after;
  let out = "";
  const take = (start: number, end: number): void => {
    out += source.slice(start, end);
  };
  const takePoint = (point: number): void => {
    out += String.fromCodePoint(point);
  };
  const tokenizer = new Tokenizer(
    {},
    { ...ignoreAll, ontext: take, ontextentity: takePoint, onattribdata: take, onattribentity: takePoint },
  );
  tokenizer.write(source);
  tokenizer.end();
  return out;
}

const ignore = (): void => {};

/** Callbacks of a reader that wants nothing. */
export const ignoreAll: TokenizerCallbacks = {
  onattribdata: ignore,
  onattribentity: ignore,
  onattribend: ignore,
  onattribname: ignore,
  oncdata: ignore,
  onclosetag: ignore,
  oncomment: ignore,
  ondeclaration: ignore,
  onend: ignore,
  onopentagend: ignore,
  onopentagname: ignore,
  onprocessinginstruction: ignore,
  onselfclosingtag: ignore,
  ontext: ignore,
  ontextentity: ignore,
};
