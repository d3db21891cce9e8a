/** The list of jobs. */
import { byId, element, set, setText } from "./elements.ts";
import { agoText, countText } from "./figure-text.ts";
import { conditionOf, rowsMax, type JobRow } from "./job-list.ts";

interface RowView {
  readonly item: HTMLLIElement;
  readonly link: HTMLAnchorElement;
  readonly name: HTMLElement;
  readonly pill: HTMLElement;
  readonly counts: HTMLElement;
  readonly when: HTMLElement;
}

export class JobsView {
  readonly #list = byId("jobs", HTMLUListElement);
  readonly #note = byId("jobs-note", HTMLElement);
  readonly #rows = new Map<string, RowView>();

  /**
   * @param isPart the API has more jobs than it was asked for
   * @param nowMs by the clock of this machine
   */
  show(rows: readonly JobRow[], isPart: boolean, selected: string | null, nowMs: number): void {
    const shown = rows.slice(0, rowsMax);
    const ids = new Set(shown.map(({ id }) => id));
    for (const [id, { item }] of this.#rows) {
      if (ids.has(id)) continue;
      item.remove();
      this.#rows.delete(id);
    }
    for (const [index, row] of shown.entries()) {
      const view = this.#rows.get(row.id) ?? this.#make(row.id);
      fill(view, row, row.id === selected, nowMs);
      // A row that is in its place is not touched: it may have the focus.
      const there = this.#list.children[index];
      if (there !== view.item) this.#list.insertBefore(view.item, there ?? null);
    }
    this.#note.hidden = rows.length <= rowsMax && !isPart;
    const known = `${countText(rows.length)}${isPart ? " and more" : ""}`;
    setText(
      this.#note,
      `The first ${countText(shown.length)} of ${known}; the address #job=<name> leads to any.`,
    );
  }

  #make(id: string): RowView {
    const name = element("span", { class: "name" }, id);
    const pill = element("span", { class: "pill" });
    const counts = element("span", { class: "note" });
    const when = element("span", { class: "note when" });
    const link = element("a", { href: `#job=${encodeURIComponent(id)}` }, name, pill, counts, when);
    const view = { item: element("li", {}, link), link, name, pill, counts, when };
    this.#rows.set(id, view);
    return view;
  }
}

function fill({ link, pill, counts, when }: RowView, row: JobRow, isSelected: boolean, nowMs: number): void {
  set(link, { "aria-current": isSelected ? "true" : null });
  const { condition, text } = conditionOf(row);
  set(pill, { "data-condition": condition });
  setText(pill, text);
  const { status, job } = row;
  const settled = status === null ? 0 : status.done + status.failed + status.skipped;
  setText(
    counts,
    status === null ? "not begun" : `${countText(settled)} of ${countText(status.admitted)} URLs`,
  );
  setText(when, job.submittedAtMs === 0 ? "" : agoText(nowMs - job.submittedAtMs));
}
