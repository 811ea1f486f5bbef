/** The timeline: when each step ran, and the chain of steps that decided how long the run took. */

import { h, put, say } from "../dom.js";
import { duration, count } from "../format.js";
import { icon } from "../icons.js";
import { shape, word } from "../states.js";
import { VList } from "./vlist.js";

const ROW = 28;

/**
 * The critical path: from the step that ended last, back each time to what it waited for longest.
 * @param {any[]} steps StepViews
 * @param {{from: string, to: string}[]} edges
 * @param {number} now
 * @returns {Set<string>}
 */
function criticalPath(steps, edges, now) {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const before = new Map();
  for (const { from, to } of edges) before.set(to, [...(before.get(to) ?? []), from]);
  const end = (step) => (step?.started_at ? (step.ended_at ? Date.parse(step.ended_at) : now) : -1);
  const path = new Set();
  let at = steps.reduce((last, step) => (end(step) > end(last) ? step : last), null);
  while (at && end(at) >= 0 && !path.has(at.id)) {
    path.add(at.id);
    at = (before.get(at.id) ?? []).map((id) => byId.get(id)).reduce((last, step) => (end(step) > end(last) ? step : last), null);
  }
  return path;
}

/** The view of it. */
export class Timeline {
  /**
   * @param {{steps: () => any[], edges: any[], start: () => number, end: () => number, onOpen: (id: string) => void}} options
   */
  constructor(options) {
    this.options = options;
    this.shown = [];
    this.axis = h("div.axis", { "aria-hidden": "true" });
    this.list = new VList({
      rowHeight: ROW, label: "Timeline of the steps", className: "timeline-list",
      create: (index) => this.#fill(this.#row(), index), update: (row, index) => this.#fill(row, index), onOpen: (index) => options.onOpen(this.shown[index].id),
    });
    this.foot = h("div.timeline-foot");
    this.node = h("div.timeline", { "data-testid": "timeline" }, this.axis, this.list.node, this.foot);
  }

  /** Draws what is now. */
  refresh() {
    const { steps, edges, start, end } = this.options;
    const now = Date.now();
    this.shown = steps().filter((step) => step.started_at).sort((a, b) => Date.parse(a.started_at) - Date.parse(b.started_at) || a.ix - b.ix);
    this.from = this.shown.length ? Math.min(start(), Date.parse(this.shown[0].started_at)) : start();
    this.to = Math.max(end(), this.from + 1);
    this.critical = criticalPath(this.shown, edges, now);
    this.list.node.style.height = `${Math.min(Math.max(this.shown.length, 3) * ROW, 560)}px`;
    this.list.setCount(this.shown.length);
    this.list.refresh();
    this.#axis();
    const took = this.shown.filter((step) => this.critical.has(step.id)).reduce((sum, step) => sum + this.#took(step), 0);
    put(this.foot, h("span", null, h("b", null, "Critical path"), ` ${count(this.critical.size)} steps, ${duration(took)} of ${duration((this.to - this.from) / 1000)}: full bars and bold names. Making another step faster does not end the run sooner.`));
  }

  close() {
    this.list.close();
  }

  #took(step) {
    return ((step.ended_at ? Date.parse(step.ended_at) : this.to) - Date.parse(step.started_at)) / 1000;
  }

  #axis() {
    const parts = this.node.clientWidth < 500 ? 2 : 4;
    const all = (this.to - this.from) / 1000;
    if (this.axis.childElementCount !== parts + 1) {
      put(this.axis, Array.from({ length: parts + 1 }, (_, i) => h("span", null)));
      [...this.axis.children].forEach((el, i) => { el.style.left = `${(i / parts) * 100}%`; });
    }
    [...this.axis.children].forEach((el, i) => say(el, i === 0 ? "0" : duration((all * i) / parts)));
  }

  #row() {
    const sign = h("span.sign");
    const name = h("span.clip");
    const bar = h("div.time-bar");
    const took = h("span.time-took");
    const row = h("div.time-row", null, h("div.id", null, sign, name), h("div.time-lane", null, bar, took));
    return Object.assign(row, { sign, name, took });
  }

  #fill(row, index) {
    const step = this.shown[index];
    if (!step) return row;
    const all = this.to - this.from;
    const from = (Date.parse(step.started_at) - this.from) / all;
    const width = Math.max(0, this.#took(step) * 1000) / all;
    row.style.setProperty("--from", from.toFixed(5));
    row.style.setProperty("--width", Math.min(width, 1 - from).toFixed(5));
    if (row.dataset.state !== step.status) {
      row.dataset.state = step.status;
      put(row.sign, icon(shape(step.status)));
    }
    const critical = this.critical.has(step.id);
    row.classList.toggle("critical", critical);
    say(row.name, step.id);
    say(row.took, duration(this.#took(step)));
    row.took.classList.toggle("inside", from + width > 0.85);
    row.setAttribute("aria-label", `${step.id}, ${word(step.status)}, ${duration(this.#took(step))}${critical ? ", on the critical path" : ""}`);
    return row;
  }
}
