/** The newest pages and failures, one row each. A row is made once and goes when its event is no longer kept. */
import { countText, durationText } from "./figure-text.ts";
import { byId, element, linkTo, set, setText } from "./elements.ts";
import { recentMax, type RecentFailure, type RecentPage } from "./job-state.ts";

export class RecentView<Item extends object> {
  readonly #list: HTMLOListElement;
  readonly #note: HTMLElement;
  readonly #none: HTMLLIElement;
  readonly #make: (item: Item) => HTMLLIElement;
  #rows = new Map<Item, HTMLLIElement>();

  /** @param id that of the list; its note is called `<id>-note` */
  constructor(id: string, none: string, make: (item: Item) => HTMLLIElement) {
    this.#list = byId(id, HTMLOListElement);
    this.#note = byId(`${id}-note`, HTMLElement);
    this.#none = element("li", { class: "none" }, none);
    this.#make = make;
  }

  /** Newest first; `total` are those that there were in all. */
  show(items: readonly Item[], total: number): void {
    const rows = new Map(items.map((item) => [item, this.#rows.get(item) ?? this.#make(item)]));
    for (const [item, row] of this.#rows) if (!rows.has(item)) row.remove();
    this.#rows = rows;
    if (items.length === 0) this.#list.replaceChildren(this.#none);
    else this.#none.remove();
    let index = 0;
    for (const row of rows.values()) {
      const there = this.#list.children[index] ?? null;
      if (there !== row) this.#list.insertBefore(row, there);
      index += 1;
    }
    setText(
      this.#note,
      total > recentMax ? `latest ${recentMax} of ${countText(total)}` : total === 0 ? "" : countText(total),
    );
  }
}

export function pageRow({ status, outcome, title, url, durationMs, note }: RecentPage): HTMLLIElement {
  const code = element("span", { class: "status" }, status === null ? "–" : String(status));
  set(code, { "data-class": status === null ? null : String(Math.floor(status / 100)), title: outcome });
  const name = title === null || title.trim() === "" ? "untitled" : title;
  const text = element(
    "div",
    {},
    element("p", { class: "title", dir: "auto" }, linkTo(url, name)),
    element("p", { class: "address", title: url }, url),
  );
  if (note !== null) text.append(element("p", { class: "detail" }, note));
  const took = element("span", { class: "side" }, durationMs === null ? "" : durationText(durationMs));
  return element("li", {}, code, text, took);
}

export function failureRow(failure: RecentFailure): HTMLLIElement {
  const { category, detail, url, attempt, final, refused } = failure;
  const what = refused
    ? "not fetched"
    : final
      ? `attempt ${attempt}, given up`
      : `attempt ${attempt}, will be tried again`;
  const row = element(
    "li",
    { class: refused ? "refused" : null },
    element(
      "div",
      { class: "line" },
      element("p", { class: "category" }, category),
      element("p", { class: "what" }, what),
    ),
    element("p", { class: "address", dir: "auto" }, linkTo(url, url)),
  );
  if (detail !== null) row.append(element("p", { class: "detail" }, detail));
  return row;
}
