/** The log of a run: any length, read in parts, followed while it grows. */

import { get, at } from "../api.js";
import { h, say, put, later } from "../dom.js";
import { count, plural } from "../format.js";
import { icon } from "../icons.js";
import { searchField } from "./fields.js";
import { empty, errorNote } from "./notice.js";
import { Ranges } from "./ranges.js";
import { VList } from "./vlist.js";
import { openDialog } from "./dialog.js";

const ROW = 18;
/** A name list longer than this helps nobody. */
const MOST_NAMES = 400;

/** The view of it. */
export class LogView {
  /**
   * @param {{run: string, steps: string[], step?: string|null, live: boolean, onStep?: (step: string) => void}} options
   */
  constructor(options) {
    this.options = options;
    this.step = options.step ?? "";
    this.q = "";
    this.total = 0;
    this.follow = options.live;
    this.turn = 0;
    this.ranges = new Ranges((from, limit, signal) => this.#read(from, limit, signal), () => this.#came(), (error) => this.#fail(error));
    this.list = new VList({
      rowHeight: ROW, label: "Log lines", className: "log",
      create: (index) => this.#fill(row(), index), update: (el, index) => this.#fill(el, index),
      onOpen: (index) => this.#whole(index), onRange: (first, last) => this.count && this.ranges.want(first, last),
      onScroll: (atEnd) => { if (this.follow && !atEnd && !this.moving) this.setFollow(false); },
    });
    this.#build();
    this.growSoon = later(() => this.grow(), 120);
    this.restart();
  }

  get count() {
    return this.total;
  }

  #build() {
    const names = this.options.steps.slice(0, MOST_NAMES).map((id) => h("option", { value: id }));
    this.stepInput = h("input.input", { list: "log-steps", placeholder: "All steps", "aria-label": "Only lines of the step", value: this.step, "data-testid": "log-step", spellcheck: "false",
      on: { change: () => { this.setStep(this.stepInput.value.trim()); this.options.onStep?.(this.step); } } });
    const search = searchField({ label: "Search the log", testid: "log-search", onInput: (q) => { this.q = q; this.restart(); } });
    this.followButton = h("button.btn", { type: "button", "aria-pressed": String(this.follow), "data-testid": "log-follow", on: { click: () => this.setFollow(!this.follow) } }, icon("down"), "Follow");
    const top = h("button.btn.icon-only", { type: "button", title: "First line", "aria-label": "First line", on: { click: () => { this.setFollow(false); this.list.scrollTo(0, "start"); } } }, icon("up"));
    this.place = h("span");
    this.problem = h("div");
    this.none = h("div", { hidden: true }, empty("No lines here", "Steps that run commands or print write lines; so do retries and checks that warn."));
    this.node = h("section.card", { "data-testid": "log" },
      h("header", null, h("div.bar", null, h("div.grow", null, search.node), h("div.grow", null, this.stepInput, h("datalist", { id: "log-steps" }, names)), this.followButton, top)),
      this.problem, this.none, this.list.node, h("div.log-foot", null, this.place));
  }

  /** Shows lines of one step only. @param {string} step empty for all */
  setStep(step) {
    if (step === this.step) return;
    this.step = step;
    this.stepInput.value = step;
    this.restart();
  }

  /** @param {boolean} on */
  setFollow(on) {
    this.follow = on;
    this.followButton.setAttribute("aria-pressed", String(on));
    if (on) this.#toEnd();
  }

  /** Reads this selection from new. */
  async restart() {
    const turn = ++this.turn;
    this.ranges.clear();
    this.total = 0;
    try {
      const page = await this.#ask({ from: 0, limit: 1 });
      if (turn !== this.turn) return;
      put(this.problem);
      this.total = page.total;
      this.#show();
      this.list.reset();
      if (this.follow) this.#toEnd();
      else this.list.scrollTo(0, "start");
      this.ready?.(this.total);
    } catch (error) {
      if (turn === this.turn) this.#fail(error);
    }
  }

  /**
   * Lines came over the live stream. They are placed as they are if the whole log is shown; a selection asks for its own.
   * @param {any[]} lines
   */
  take(lines) {
    if (this.step || this.q) return this.growSoon();
    for (const line of lines) {
      if (line.n < this.total) continue;
      if (line.n > this.total) return this.growSoon();
      this.ranges.append(line.n, line);
      this.total += 1;
    }
    this.#show();
  }

  /** Asks how long the selection is now. */
  async grow() {
    const turn = this.turn;
    const page = await this.#ask({ from: this.total, limit: 1 }).catch(() => null);
    if (!page || turn !== this.turn || page.total <= this.total) return;
    this.total = page.total;
    this.#show();
  }

  close() {
    this.turn += 1;
    this.ranges.clear();
    this.list.close();
  }

  #ask(query, signal) {
    return get(at("runs", this.options.run, "logs"), { step: this.step, q: this.q, ...query }, { signal });
  }

  async #read(from, limit, signal) {
    return (await this.#ask({ from, limit }, signal)).lines;
  }

  #show() {
    // While it grows the window keeps its size, so that nothing below moves; a short log that is over needs little.
    this.list.node.style.height = this.options.live ? "min(62vh, 640px)" : `min(62vh, 640px, ${this.total * ROW + 8}px)`;
    this.list.setCount(this.total);
    this.none.hidden = this.total > 0;
    this.list.node.hidden = this.total === 0;
    say(this.place, `${plural(this.total, "line")}${this.q ? ` with “${this.q}”` : ""}${this.step ? ` of ${this.step}` : ""}`);
    if (this.follow) this.#toEnd();
  }

  /** A scroll of ours must not end the following. */
  #toEnd() {
    this.moving = true;
    this.list.scrollToEnd();
    requestAnimationFrame(() => requestAnimationFrame(() => { this.list.scrollToEnd(); this.moving = false; }));
  }

  #came() {
    put(this.problem);
    this.list.refresh();
  }

  #fail(error) {
    put(this.problem, errorNote(error, () => this.restart()));
  }

  #fill(el, index) {
    const line = this.ranges.get(index);
    el.classList.toggle("loading", !line);
    say(el.n, String(index + 1));
    if (!line) { say(el.text, "…"); say(el.at, ""); say(el.from, ""); say(el.mark, ""); delete el.dataset.stream; return el; }
    el.dataset.stream = line.stream;
    say(el.at, (line.at ?? "").slice(11, 23));
    say(el.from, line.item === null || line.item === undefined ? line.step ?? "" : `${line.step}[${line.item}]`);
    say(el.mark, line.stream === "stderr" ? "err" : line.stream === "log" ? "log" : "");
    marked(el.text, plain(line.text), this.q);
    return el;
  }

  /** A line may be longer than the window; here it is whole. */
  #whole(index) {
    const line = this.ranges.get(index);
    if (!line) return;
    openDialog({ title: `Line ${count(index + 1)} · ${line.step ?? ""}`, wide: line.text.length > 200, body: [
      h("pre.json", { tabindex: 0 }, plain(line.text)), h("p.small.muted", null, `${line.at}, attempt ${line.attempt}, ${line.stream}`)] });
  }
}

function row() {
  const [n, time, from, mark, text] = ["n", "at", "from", "mark", "text"].map((name) => h("span", { class: name }));
  return Object.assign(h("div.log-line", null, n, time, from, mark, text), { n, at: time, from, mark, text });
}

/** Without escape sequences, and of a line that rewrote itself the last state only. */
function plain(text) {
  const bare = text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\r+$/, "");
  return bare.includes("\r") ? bare.slice(bare.lastIndexOf("\r") + 1) : bare;
}

function marked(el, text, q) {
  if (!q) return say(el, text);
  const parts = [];
  const low = text.toLowerCase();
  const find = q.toLowerCase();
  let from = 0;
  for (let found = low.indexOf(find); found >= 0; found = low.indexOf(find, from)) {
    parts.push(text.slice(from, found), h("mark", null, text.slice(found, found + q.length)));
    from = found + q.length;
  }
  put(el, parts, text.slice(from));
}
