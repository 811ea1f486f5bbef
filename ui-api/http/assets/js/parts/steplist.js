/** The list of a run's steps: windowed, filtered, updated in place. */

import { h, say, later } from "../dom.js";
import { count, duration } from "../format.js";
import { setState, stateMark, word } from "../states.js";
import { VList } from "./vlist.js";
import { searchField } from "./fields.js";
import { empty } from "./notice.js";

const ROW = 35;
const STATES = ["running", "waiting", "failed", "succeeded", "skipped", "cancelled", "pending"];

/** The view of it. */
export class StepList {
  /** @param {{steps: () => any[], kinds: Map<string, any>, onOpen: (id: string) => void}} options */
  constructor(options) {
    this.options = options;
    this.shown = [];
    this.text = "";
    this.state = "";
    this.list = new VList({
      rowHeight: ROW, label: "Steps",
      create: (index) => this.#fill(this.#row(), index),
      update: (row, index) => this.#fill(row, index),
      onOpen: (index) => options.onOpen(this.shown[index].id),
    });
    const search = searchField({ label: "Find a step", onInput: (text) => { this.text = text; this.refresh(true); } });
    this.select = h("select.select", { "aria-label": "Only steps that are", on: { change: () => { this.state = this.select.value; this.refresh(true); } } });
    this.said = new Map();
    for (const state of ["", ...STATES]) {
      const option = h("option", { value: state }, state ? word(state) : "All states");
      this.said.set(state, option);
      this.select.append(option);
    }
    this.none = h("div", { hidden: true }, empty("No step matches", "Change the search or the state."));
    this.node = h("section.card", { "data-testid": "steps" },
      h("header", null, h("h2", null, "Steps"), h("div.bar.spread", null, search.node, h("div", null, this.select))),
      this.list.node, this.none);
    this.refreshSoon = later(() => this.refresh(), 60);
  }

  /** Reads the steps anew. @param {boolean} [other] whether another selection is shown */
  refresh(other = false) {
    const all = this.options.steps();
    const tally = new Map();
    for (const step of all) tally.set(step.status, (tally.get(step.status) ?? 0) + 1);
    for (const state of STATES) say(this.said.get(state), `${word(state)} (${count(tally.get(state) ?? 0)})`);
    this.shown = all.filter((step) => (!this.state || step.status === this.state) && (!this.text || step.id.includes(this.text)));
    this.place = new Map(this.shown.map((step, i) => [step.id, i]));
    this.none.hidden = this.shown.length > 0;
    this.list.node.hidden = this.shown.length === 0;
    this.list.node.style.height = `${Math.min(this.shown.length * ROW, 490)}px`;
    this.list.setCount(this.shown.length);
    if (other) this.list.reset();
    this.list.refresh();
  }

  /** One step changed. @param {any} step */
  update(step) {
    if (this.state) return this.refreshSoon();
    const at = this.place?.get(step.id);
    if (at === undefined) return this.refreshSoon();
    this.shown[at] = step;
    this.list.refreshRow(at);
    this.refreshSoon();
  }

  /** Marks the step whose panel is open. @param {string|null} id */
  choose(id) {
    this.list.choose(id === null ? -1 : this.place?.get(id) ?? -1);
  }

  close() {
    this.list.close();
  }

  #row() {
    const mark = stateMark("pending");
    const id = h("span");
    const kind = h("span.kind");
    const rows = h("span.num.rows-n");
    const took = h("span.num");
    const row = h("div.step-row", null, mark, h("span.id.clip", null, id, kind), rows, took);
    return Object.assign(row, { mark, name: id, kind, rows, took });
  }

  #fill(row, index) {
    const step = this.shown[index];
    if (!step) return row;
    row.classList.toggle("last", index === this.shown.length - 1);
    setState(row.mark, step.status);
    say(row.name, step.id);
    const node = this.options.kinds.get(step.id);
    const items = step.items?.total ? `${node?.for_each ? "each of" : "items"} ${count(step.items.total)}` : "";
    say(row.kind, [node?.kind ?? "", items, step.attempts > 1 ? `attempt ${step.attempts}` : "", step.reused ? "taken over" : ""].filter(Boolean).join(" · "));
    say(row.rows, step.rows !== null && step.rows !== undefined ? `${count(step.rows)} rows` : "");
    const running = step.status === "running" && step.started_at;
    say(row.took, running ? duration((Date.now() - Date.parse(step.started_at)) / 1000) : duration(step.took_s));
    return row;
  }
}
