/** The items of a fan-out: windowed, all of them or those of one state. */

import { get, at } from "../api.js";
import { h, say, put } from "../dom.js";
import { count, json } from "../format.js";
import { setState, stateMark, word } from "../states.js";
import { openDialog } from "./dialog.js";
import { errorNote, empty } from "./notice.js";
import { Feed, Ranges } from "./ranges.js";
import { VList } from "./vlist.js";

const ROW = 32;
const STATES = ["failed", "succeeded", "skipped", "cancelled"];

/**
 * All items are read by place. Those of one state are read onwards, because where they lie among the others is not known.
 */
export class ItemsView {
  /** @param {{run: string, step: any, onLog: (item: number) => void}} options */
  constructor({ run, step, onLog }) {
    this.path = `${at("runs", run, "steps", step.id)}/items`;
    this.onLog = onLog;
    this.state = "";
    this.buttons = new Map();
    const fail = (error) => put(this.problem, errorNote(error, () => this.#select(this.state)));
    const came = () => { put(this.problem); this.#show(); this.list.refresh(); };
    this.all = new Ranges(async (from, limit, signal) => placed((await get(this.path, { from, limit }, { signal })).items, from, limit), came, fail);
    this.some = new Feed(async (from) => get(this.path, { status: this.state, from: from ?? 0, limit: 200 }), came, fail);
    this.list = new VList({
      rowHeight: ROW, label: "Items", create: (index) => this.#fill(row(), index), update: (el, index) => this.#fill(el, index),
      onOpen: (index) => this.#whole(index), onRange: (first, last) => this.#range(first, last),
    });
    this.filter = h("div.bar", { role: "group", "aria-label": "Only items that are" });
    this.problem = h("div");
    this.none = h("div.empty", { hidden: true });
    this.node = h("section", { "data-testid": "items" }, h("h3", null, "Items"), this.meter = h("div.meter", { "aria-hidden": "true" }), this.filter, this.problem, this.none, this.list.node);
    this.list.node.classList.add("items-list");
    this.update(step);
  }

  /** Takes new counts. @param {any} step */
  update(step) {
    this.counts = step.items ?? { total: 0 };
    const total = this.counts.total ?? 0;
    for (const state of ["", ...STATES]) {
      const n = state ? this.counts[state] ?? 0 : total;
      let button = this.buttons.get(state);
      if (!button && (n || !state || state === "failed")) {
        button = h("button.btn.small", { type: "button", "data-testid": `items-${state || "all"}`, "aria-pressed": String(state === this.state), on: { click: () => this.#select(state) } });
        this.buttons.set(state, button);
        this.filter.append(button);
      }
      if (button) say(button, `${state ? word(state) : "All"} ${count(n)}`);
    }
    if (this.meter.childElementCount === 0) {
      for (const state of ["succeeded", "failed", "cancelled", "skipped"]) this.meter.append(h("i", { data: { state } }));
    }
    for (const part of this.meter.children) part.style.setProperty("--part", String(total ? (this.counts[part.dataset.state] ?? 0) / total : 0));
    const said = JSON.stringify(this.counts);
    if (said !== this.said && !this.state) { this.said = said; this.#renew(); }
    this.#show();
  }

  close() {
    this.all.clear();
    this.list.close();
  }

  /** What is in view may have moved on; it is read again, but not more than once a second. */
  #renew() {
    if (this.renewing) return;
    this.renewing = setTimeout(() => {
      this.renewing = 0;
      if (this.state || !this.node.isConnected) return;
      this.all.clear();
      this.list.draw();
    }, 1000);
  }

  #select(state) {
    this.state = state;
    for (const [name, button] of this.buttons) button.setAttribute("aria-pressed", String(name === state));
    this.some.clear();
    this.all.clear();
    this.list.choose(-1);
    this.list.node.scrollTop = 0;
    if (state) this.some.more();
    this.#show();
    this.list.reset();
  }

  #show() {
    const n = this.state ? this.some.items.length + (this.some.done ? 0 : 1) : this.counts.total ?? 0;
    this.list.setCount(n);
    this.none.hidden = n > 0;
    this.list.node.hidden = n === 0;
    say(this.none, this.state ? `No item is ${word(this.state).toLowerCase()}.` : "The list that this step goes through is empty, or not known yet.");
    this.list.node.style.height = `${Math.min(Math.max(n, 4) * ROW, 320)}px`;
  }

  #range(first, last) {
    if (!this.state) { if (this.counts.total) this.all.want(first, last); }
    else if (last >= this.some.items.length) this.some.more();
  }

  #get(index) {
    return this.state ? this.some.items[index] : this.all.get(index);
  }

  #fill(el, index) {
    const item = this.#get(index);
    say(el.no, item ? `#${item.item}` : this.state ? "…" : `#${index}`);
    setState(el.mark, item?.status ?? "pending", item ? undefined : "");
    say(el.text, item?.fault ? item.fault.message : hasOutputs(item) ? JSON.stringify(item.outputs) : "");
    say(el.tries, item?.attempts > 1 ? `${item.attempts}×` : "");
    return el;
  }

  #whole(index) {
    const item = this.#get(index);
    if (!item) return;
    const dialog = openDialog({
      title: `Item ${item.item}`, testid: "item-dialog",
      body: [stateMark(item.status), item.fault ? errorNote({ title: item.fault.message, code: item.fault.code, help: item.fault.help }) : null,
        hasOutputs(item) ? h("pre.json", { tabindex: 0 }, json(item.outputs)) : empty("No outputs", "The item has none yet, or failed before it made any.")].filter(Boolean),
      foot: [h("button.btn", { type: "button", on: { click: () => { dialog.close(); this.onLog(item.item); } } }, "Log of the step")],
    });
  }
}

/** Only items that have ended are given; each goes to its place. */
function placed(items, from, limit) {
  const all = new Array(limit);
  for (const item of items) if (item.item < from + limit) all[item.item - from] = item;
  return all;
}

const hasOutputs = (item) => Boolean(item?.outputs && Object.keys(item.outputs).length);

function row() {
  const no = h("span.mono.faint");
  const mark = stateMark("pending");
  const text = h("span.clip.muted");
  const tries = h("span.num");
  return Object.assign(h("div.item-row", null, no, mark, text, tries), { no, mark, text, tries });
}
