/** The map of a run with thousands of steps: one tile a step, in the order of the layers, and the neighbours of the one looked at. */

import { h, put, inFrame } from "../dom.js";
import { count, plural } from "../format.js";
import { stateMark } from "../states.js";
import { Graph, legend } from "./graph.js";

const TILE = 11;
const GAP = 2;
const NEAR = 40;
const COLOURS = { succeeded: "--ok", failed: "--bad", running: "--run", waiting: "--wait", cancelled: "--stop", interrupted: "--stop" };

/** Drawn on one canvas, because ten thousand elements would make every update slow. */
export class StepMap {
  /**
   * @param {{nodes: any[], edges: any[]}} plan
   * @param {(id: string) => void} onOpen
   * @param {{legend?: string[]}} [options]
   */
  constructor(plan, onOpen, options = {}) {
    this.plan = plan;
    this.onOpen = onOpen;
    this.order = [...plan.nodes].sort((a, b) => a.layer - b.layer || a.ix - b.ix);
    /** @type {Map<string, number>} */
    this.place = new Map(this.order.map((node, i) => [node.id, i]));
    this.states = new Array(this.order.length).fill("pending");
    this.steps = new Map();
    this.at = -1;
    this.canvas = h("canvas.map-canvas", { tabindex: 0, role: "application", "aria-label": `Map of ${count(this.order.length)} steps. Arrow keys move, Enter opens.` });
    this.name = h("div.map-name", { "aria-live": "polite" }, h("span.faint", null, `${plural(this.order.length, "step")}, one tile each, in the order in which they can run. Point at a tile or use the arrow keys.`));
    this.near = h("div");
    this.node = h("div.graph", { "data-testid": "graph-map" }, h("div.map-wrap", null, this.canvas), this.name, this.near, options.legend ? h("div.graph-foot", null, legend(options.legend)) : null);
    this.draw = inFrame(() => this.#draw());
    this.watch = new ResizeObserver(this.draw);
    this.watch.observe(this.canvas);
    this.onTheme = this.draw;
    document.addEventListener("millwork:theme", this.onTheme);
    this.canvas.addEventListener("pointermove", (event) => this.#point(this.#hit(event)));
    this.canvas.addEventListener("click", (event) => this.#open(this.#hit(event)));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {any} step a StepView */
  update(step) {
    const at = this.place.get(step.id);
    if (at === undefined) return;
    this.steps.set(step.id, step);
    this.small?.update(step);
    if (this.states[at] === step.status) return;
    this.states[at] = step.status;
    this.draw();
  }

  /** @param {string|null} id */
  choose(id) {
    const at = id === null ? -1 : this.place.get(id) ?? -1;
    this.chosen = at;
    if (at >= 0) this.#point(at);
    this.#neighbours(id);
    this.draw();
  }

  close() {
    this.watch.disconnect();
    this.small?.close();
    document.removeEventListener("millwork:theme", this.onTheme);
  }

  #columns() {
    return Math.max(1, Math.floor((this.canvas.clientWidth + GAP) / (TILE + GAP)));
  }

  #draw() {
    const wide = this.canvas.clientWidth;
    if (!wide) return;
    const columns = this.#columns();
    const tall = Math.ceil(this.order.length / columns) * (TILE + GAP);
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(wide * ratio) || this.canvas.height !== Math.round(tall * ratio)) {
      this.canvas.width = Math.round(wide * ratio);
      this.canvas.height = Math.round(tall * ratio);
      this.canvas.style.height = `${tall}px`;
    }
    const pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    const css = getComputedStyle(this.canvas);
    const ink = new Map();
    const colour = (name) => {
      if (!ink.has(name)) ink.set(name, resolved(this.canvas, css, name));
      return ink.get(name);
    };
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, wide, tall);
    pen.lineWidth = 1.5;
    this.states.forEach((state, i) => {
      const x = (i % columns) * (TILE + GAP);
      const y = Math.floor(i / columns) * (TILE + GAP);
      paint(pen, state, x, y, colour);
      if (i === this.at || i === this.chosen) {
        pen.strokeStyle = colour("--ink");
        pen.strokeRect(x - 0.5, y - 0.5, TILE + 1, TILE + 1);
      }
    });
  }

  #hit(event) {
    const column = Math.floor(event.offsetX / (TILE + GAP));
    const at = Math.floor(event.offsetY / (TILE + GAP)) * this.#columns() + column;
    return column < this.#columns() && at < this.order.length ? at : -1;
  }

  #point(at) {
    if (at < 0 || at === this.at) return;
    this.at = at;
    const id = this.order[at].id;
    const step = this.steps.get(id);
    put(this.name, stateMark(this.states[at]), h("b", null, id), h("span.faint", null, this.order[at].kind ?? "steps"), step?.fault ? h("span", null, step.fault.message) : null);
    this.draw();
  }

  #open(at) {
    if (at >= 0) this.onOpen(this.order[at].id);
  }

  #key(event) {
    const columns = this.#columns();
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (event.key === "Enter") this.#open(this.at);
    else if (by) this.#point(Math.min(this.order.length - 1, Math.max(0, this.at + by)));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Draws what the chosen step reads and what reads it, as a graph that can be followed. */
  #neighbours(id) {
    this.small?.close();
    this.small = null;
    put(this.near);
    if (id === null) return;
    const edges = this.plan.edges.filter((edge) => edge.from === id || edge.to === id);
    const names = new Set([id]);
    for (const edge of edges) if (names.size < NEAR) { names.add(edge.from); names.add(edge.to); }
    const layerOf = (node) => (node.id === id ? 1 : edges.some((e) => e.from === node.id && e.to === id) ? 0 : 2);
    const nodes = this.plan.nodes.filter((node) => names.has(node.id)).map((node) => ({ ...node, section: "steps", layer: layerOf(node) }));
    if (nodes.length < 2) return;
    this.small = new Graph({ nodes, edges: edges.filter((e) => names.has(e.from) && names.has(e.to)) }, this.onOpen, { small: true });
    for (const node of nodes) { const step = this.steps.get(node.id); if (step) this.small.update(step); }
    this.small.choose(id);
    put(this.near, this.small.node);
  }
}

/** A canvas does not understand light-dark(); the browser works it out on an element. */
function resolved(el, css, name) {
  const before = el.style.color;
  el.style.color = `var(${name})`;
  const value = css.color;
  el.style.color = before;
  return value;
}

/** Each state has a shape of its own: full, crossed, half, hollow. */
function paint(pen, state, x, y, colour) {
  const own = COLOURS[state];
  if (!own) {
    pen.strokeStyle = colour("--line-strong");
    pen.strokeRect(x + 1, y + 1, TILE - 2, TILE - 2);
    if (state === "skipped") line(pen, x + 1, y + TILE - 1, x + TILE - 1, y + 1);
    return;
  }
  pen.fillStyle = colour(own);
  // What went well is pale, so that the rest stands out.
  pen.globalAlpha = state === "succeeded" ? 0.45 : 1;
  pen.fillRect(x, y, TILE, state === "running" ? TILE / 2 : TILE);
  pen.globalAlpha = 1;
  pen.strokeStyle = colour(own);
  pen.strokeRect(x + 0.75, y + 0.75, TILE - 1.5, TILE - 1.5);
  pen.strokeStyle = colour("--surface");
  if (state === "failed") { line(pen, x + 3, y + 3, x + TILE - 3, y + TILE - 3); line(pen, x + TILE - 3, y + 3, x + 3, y + TILE - 3); }
  if (state === "waiting") line(pen, x + TILE / 2, y + 2, x + TILE / 2, y + TILE - 2);
  if (state === "cancelled") line(pen, x + 2, y + TILE / 2, x + TILE - 2, y + TILE / 2);
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}
