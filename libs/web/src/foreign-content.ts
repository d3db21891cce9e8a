/** Whether markup is HTML or the SVG or MathML inside it, where other rules of reading hold (HTML §13.2.6.5). */

type Context = "svg" | "math" | "html";

/** Deeper nesting is not followed, so that no page makes a search in it long. */
const depthMax = 256;

export class ForeignContent {
  readonly #open: { readonly name: string; readonly context: Context }[] = [];

  /** Whether the next tag is read by the rules of SVG or MathML. */
  get isForeign(): boolean {
    const top = this.#open.at(-1);
    return top !== undefined && top.context !== "html";
  }

  /** Takes a start tag's name, in lower case. True where the tag opened a context: see `selfClosed`. */
  opened(name: string): boolean {
    if (this.#open.length === 0) return (name === "svg" || name === "math") && this.#push(name, name);
    if (this.isForeign && breakoutTags.has(name)) {
      while (this.isForeign) this.#open.pop();
      return false;
    }
    if (name === "svg" || name === "math") return this.#push(name, name);
    const context = this.#open.at(-1)?.context;
    const isIntegration =
      (context === "svg" && svgIntegration.has(name)) || (context === "math" && mathIntegration.has(name));
    return isIntegration && this.#push(name, "html");
  }

  /** The tag for which `opened` answered true closed itself. */
  selfClosed(): void {
    this.#open.pop();
  }

  /** Takes an end tag's name, in lower case. */
  closed(name: string): void {
    if (this.#open.length === 0) return;
    const at = this.#open.findLastIndex((entry) => entry.name === name);
    if (at >= 0) this.#open.length = at;
  }

  #push(name: string, context: Context): boolean {
    if (this.#open.length >= depthMax) return false;
    this.#open.push({ name, context });
    return true;
  }
}

const svgIntegration: ReadonlySet<string> = new Set(["foreignobject", "desc", "title"]);
const mathIntegration: ReadonlySet<string> = new Set(["mi", "mo", "mn", "ms", "mtext", "annotation-xml"]);

/** Start tags that end foreign content. */
const breakoutTags: ReadonlySet<string> = new Set(
  (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu " +
    "meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
  ).split(" "),
);
