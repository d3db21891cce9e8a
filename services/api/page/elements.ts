/** The few ways in which the page touches the document. Text is only ever set as text. */

type Attributes = Readonly<Record<string, string | null>>;

/** The element of the page's own markup that has this id. */
export function byId<Kind extends Element>(id: string, kind: new () => Kind): Kind {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} called ${id}`);
}

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...content: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...content);
  return made;
}

export function svgElement<Name extends keyof SVGElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
): SVGElementTagNameMap[Name] {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  return made;
}

/** Null takes an attribute away. */
export function set(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) target.removeAttribute(name);
    else if (target.getAttribute(name) !== value) target.setAttribute(name, value);
  }
}

/** Only where it differs: an unchanged live region is not read out again. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** A link only where it leads to a web page: an address may begin with `javascript:`. */
export function linkTo(url: string, ...content: readonly (Node | string)[]): HTMLElement {
  if (!/^https?:\/\//i.test(url)) return element("span", {}, ...content);
  return element(
    "a",
    { href: url, target: "_blank", rel: "noopener noreferrer nofollow", title: url },
    ...content,
  );
}
