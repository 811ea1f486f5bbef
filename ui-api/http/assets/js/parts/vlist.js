/** A windowed list: however long, only the rows in view are in the page. */

import { h, inFrame } from "../dom.js";

/** Browsers stop placing things beyond about 17 million pixels; above this the scroll is scaled. */
const MAX_PX = 15_000_000;
const OVERSCAN = 8;

/**
 * @typedef {object} VListOptions
 * @property {number} rowHeight in pixels; all rows are of one height
 * @property {(index: number) => HTMLElement} create makes a row
 * @property {(node: any, index: number) => void} [update] renews a row that is in view
 * @property {(index: number) => void} [onOpen] Enter or click on a row; with it rows can be chosen by keys
 * @property {(first: number, last: number) => void} [onRange] told which rows are in view
 * @property {(atEnd: boolean) => void} [onScroll]
 * @property {string} label
 * @property {string} [className]
 */
export class VList {
  /** @param {VListOptions} options */
  constructor(options) {
    this.options = options;
    this.count = 0;
    this.active = -1;
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    this.uid = `v${Math.random().toString(36).slice(2, 8)}`;
    const choosable = Boolean(options.onOpen);
    this.space = h("div.vlist-space", { role: "presentation" });
    this.node = h("div.vlist", { class: options.className, tabindex: 0, role: choosable ? "listbox" : "list", "aria-label": options.label }, this.space);
    this.draw = inFrame(() => this.#draw());
    this.node.addEventListener("scroll", () => { this.draw(); options.onScroll?.(this.atEnd()); }, { passive: true });
    if (choosable) {
      this.node.addEventListener("keydown", (event) => this.#key(event));
      this.node.addEventListener("click", (event) => {
        const row = event.target.closest(".vlist-row");
        if (row) this.choose(Number(row.dataset.index), true);
      });
    }
    this.watch = new ResizeObserver(() => this.draw());
    this.watch.observe(this.node);
  }

  /** Sets how many rows there are; what is in view stays where it is. @param {number} count */
  setCount(count) {
    if (count === this.count) return;
    this.count = count;
    this.space.style.height = `${this.#px()}px`;
    this.draw();
  }

  /** Draws all rows in view anew, for when every index stands for something else. */
  reset() {
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.draw();
  }

  /** Renews the rows in view in place. */
  refresh() {
    for (const [index, row] of this.rows) this.options.update?.(row, index);
  }

  /** Renews one row, if it is in view. @param {number} index */
  refreshRow(index) {
    const row = this.rows.get(index);
    if (row) this.options.update?.(row, index);
  }

  /** @returns {boolean} whether the last row is in view */
  atEnd() {
    return this.node.scrollTop + this.node.clientHeight >= this.node.scrollHeight - 4;
  }

  /** @param {number} index @param {"nearest"|"start"|"center"} [where] */
  scrollTo(index, where = "nearest") {
    const { rowHeight } = this.options;
    const tall = this.node.clientHeight;
    const top = index * rowHeight;
    const now = this.#top();
    let wanted = now;
    if (where === "start") wanted = top;
    else if (where === "center") wanted = top - tall / 2;
    else if (top < now) wanted = top;
    else if (top + rowHeight > now + tall) wanted = top + rowHeight - tall;
    this.node.scrollTop = wanted / this.#scale();
    this.draw();
  }

  scrollToEnd() {
    this.node.scrollTop = this.node.scrollHeight;
    this.draw();
  }

  /** Marks a row as chosen. @param {number} index @param {boolean} [open] */
  choose(index, open = false) {
    this.rows.get(this.active)?.classList.remove("is-active");
    this.rows.get(this.active)?.setAttribute("aria-selected", "false");
    this.active = index;
    if (index < 0) return this.node.removeAttribute("aria-activedescendant");
    this.rows.get(index)?.classList.add("is-active");
    this.rows.get(index)?.setAttribute("aria-selected", "true");
    this.node.setAttribute("aria-activedescendant", `${this.uid}-${index}`);
    if (open) this.options.onOpen?.(index);
  }

  /** Lets go of the observer. */
  close() {
    this.watch.disconnect();
  }

  #px() {
    return Math.min(this.count * this.options.rowHeight, MAX_PX);
  }

  /** How many pixels of the list one pixel of scroll stands for. */
  #scale() {
    const full = this.count * this.options.rowHeight;
    const tall = this.node.clientHeight;
    return full > MAX_PX ? (full - tall) / (MAX_PX - tall) : 1;
  }

  #top() {
    return this.node.scrollTop * this.#scale();
  }

  #draw() {
    const { rowHeight, create, onRange, onOpen } = this.options;
    const tall = this.node.clientHeight;
    if (!tall) return;
    const top = this.#top();
    const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
    const last = Math.min(this.count - 1, Math.ceil((top + tall) / rowHeight) + OVERSCAN);
    for (const [index, row] of this.rows) {
      if (index < first || index > last) { row.remove(); this.rows.delete(index); }
    }
    // Where the scroll is scaled, rows are placed around the true position of the scroll, not around their own.
    const shift = this.node.scrollTop - top;
    for (let index = first; index <= last; index++) {
      let row = this.rows.get(index);
      if (!row) {
        row = create(index);
        row.classList.add("vlist-row");
        row.id = `${this.uid}-${index}`;
        row.dataset.index = String(index);
        row.setAttribute("role", onOpen ? "option" : "listitem");
        row.setAttribute("aria-setsize", String(this.count));
        row.setAttribute("aria-posinset", String(index + 1));
        if (index === this.active) { row.classList.add("is-active"); row.setAttribute("aria-selected", "true"); }
        this.rows.set(index, row);
        this.space.append(row);
      }
      row.style.transform = `translateY(${index * rowHeight + shift}px)`;
    }
    onRange?.(first, last);
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.options.rowHeight) - 1);
    const moves = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" && this.active >= 0) this.options.onOpen?.(this.active);
    else if (event.key in moves) {
      const next = Math.min(this.count - 1, Math.max(0, this.active + moves[event.key]));
      this.scrollTo(next);
      this.choose(next);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
