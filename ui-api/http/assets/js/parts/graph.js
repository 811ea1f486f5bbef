/** The drawing of a pipeline or a run as SVG, updated in place. */

import { h, s, put } from "../dom.js";
import { icon } from "../icons.js";
import { duration } from "../format.js";
import { shape, stateMark, word } from "../states.js";
import { layout, NODE } from "./graph_layout.js";
import { StepMap } from "./graph_map.js";

/** Above this many steps a drawing helps nobody; the map of tiles takes its place. */
const DRAWABLE = 240;
const MIN_SCALE = 0.62;
const compact = new Intl.NumberFormat("en", { notation: "compact" });

/**
 * Makes the graph that fits the size of the plan.
 * @param {{nodes: any[], edges: any[]}} plan
 * @param {(id: string) => void} onOpen
 * @param {{legend?: string[]}} [options]
 * @returns {Graph|StepMap}
 */
export function makeGraph(plan, onOpen, options) {
  return plan.nodes.length > DRAWABLE ? new StepMap(plan, onOpen, options) : new Graph(plan, onOpen, options);
}

/** Every step as a box; edges as curves. */
export class Graph {
  /**
   * @param {{nodes: any[], edges: any[]}} plan
   * @param {(id: string) => void} onOpen
   * @param {{legend?: string[], small?: boolean}} [options]
   */
  constructor(plan, onOpen, options = {}) {
    this.onOpen = onOpen;
    this.plan = layout(plan.nodes, plan.edges);
    /** @type {Map<string, any>} */
    this.boxes = new Map();
    this.scale = 1;
    const { width, height } = this.plan;
    this.edges = this.plan.edges.map((edge) => ({ ...edge, el: s("path.edge", { d: edge.path, "marker-end": "url(#arrow)" }) }));
    const arrow = s("marker", { id: "arrow", viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 6, markerHeight: 6, orient: "auto" }, s("path.arrow", { d: "M0 0L6 3L0 6z" }));
    this.svg = s("svg.drawing", { viewBox: `-4 -4 ${width + 8} ${height + 8}`, role: "group", "aria-label": "Graph of the steps" },
      s("defs", null, arrow),
      this.plan.bands.map((band) => s("text.band", { x: 0, y: band.y }, band.text)),
      s("g", null, this.edges.map((edge) => edge.el)),
      s("g", null, this.plan.nodes.map((placed) => this.#box(placed))));
    this.scroll = h("div.graph-scroll", null, this.svg);
    const tool = (name, label, act) => h("button.btn.small.icon-only", { type: "button", title: label, "aria-label": label, on: { click: act } }, name);
    this.node = h("div.graph", { "data-testid": "graph" }, this.scroll, options.small ? null : h("div.graph-foot", null, options.legend ? legend(options.legend) : null,
      h("div.graph-tools", null, tool("−", "Smaller", () => this.#zoom(this.scale / 1.2)), tool("+", "Larger", () => this.#zoom(this.scale * 1.2)), tool("⤢", "Fit to the width", () => this.#fit()))));
    this.watch = new ResizeObserver(() => this.touched || this.#fit());
    this.watch.observe(this.scroll);
  }

  /** Colours one step. @param {any} step a StepView */
  update(step) {
    const box = this.boxes.get(step.id);
    if (!box) return;
    const { total, succeeded = 0, failed = 0, skipped = 0, cancelled = 0 } = step.items ?? {};
    const done = total ? succeeded + failed + skipped + cancelled : 0;
    const sub = total ? `${done < total ? `${compact.format(done)} of ` : ""}${compact.format(total)} items${failed ? `, ${compact.format(failed)} failed` : ""}` : subline(step, box.node);
    const said = `${step.status}|${sub}|${step.reused}`;
    if (box.said === said) return;
    box.said = said;
    if (box.group.dataset.state !== step.status) {
      box.group.dataset.state = step.status;
      put(box.glyph, icon(shape(step.status)));
    }
    box.sub.textContent = sub;
    box.part.setAttribute("width", String(total ? Math.max(1, (done / total) * (NODE.width - 2)) : 0));
    box.group.setAttribute("aria-label", `${step.id}, ${word(step.status)}${sub ? `, ${sub}` : ""}`);
  }

  /** Marks the step whose panel is open. @param {string|null} id */
  choose(id) {
    for (const [name, box] of this.boxes) box.group.classList.toggle("chosen", name === id);
    for (const edge of this.edges) edge.el.classList.toggle("lit", edge.from === id || edge.to === id);
    const box = id === null ? null : this.boxes.get(id);
    if (!box) return;
    // Only the drawing scrolls, never the page.
    const near = (at, size, from, room) => Math.min(Math.max(from, at + size + 40 - room), Math.max(0, at - 40));
    const { scale, scroll } = this;
    scroll.scrollLeft = near(box.x * scale, NODE.width * scale, scroll.scrollLeft, scroll.clientWidth);
    scroll.scrollTop = near(box.y * scale, NODE.height * scale, scroll.scrollTop, scroll.clientHeight);
  }

  close() {
    this.watch.disconnect();
  }

  #box({ node, x, y }) {
    const group = s("g.node", {
      transform: `translate(${x} ${y})`, tabindex: 0, role: "button", "aria-label": `${node.id}, ${node.kind ?? "several steps"}`, "data-testid": `node-${node.id}`,
      on: {
        click: () => this.onOpen(node.id),
        keydown: (event) => this.#key(event, node.id),
      },
    });
    const glyph = s("g.glyph", { transform: "translate(10 8)" });
    const sub = s("text.sub", { x: 34, y: 36 }, subline(null, node));
    const part = s("rect.part", { x: 1, y: NODE.height - 4, width: 0, height: 3, rx: 1 });
    group.append(
      s("title", null, [node.id, node.kind, node.condition ? "only if its condition holds" : "", node.for_each ? "for each item" : "", node.effect === "external" ? "acts outside" : ""].filter(Boolean).join(" · ")),
      ...(node.for_each ? [s("rect.stack-box", { x: 4, y: 4, width: NODE.width, height: NODE.height, rx: 6 })] : []),
      s("rect.box", { width: NODE.width, height: NODE.height, rx: 6 }), glyph,
      s("text.title", { x: 34, y: 20 }, cut(node.id, 18)), sub, part);
    this.boxes.set(node.id, { group, glyph, sub, part, node, x, y });
    return group;
  }

  /** Enter opens; arrows go to the nearest box that way. */
  #key(event, id) {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.onOpen(id);
      return;
    }
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const me = this.boxes.get(id);
    let best = null;
    let least = Infinity;
    for (const box of this.boxes.values()) {
      const along = (box.x - me.x) * way[0] + (box.y - me.y) * way[1];
      const across = Math.abs((box.x - me.x) * way[1]) + Math.abs((box.y - me.y) * way[0]);
      if (along > 1 && along + across * 2 < least) { least = along + across * 2; best = box; }
    }
    best?.group.focus();
  }

  #zoom(scale) {
    this.touched = true;
    this.#size(Math.min(2, Math.max(0.2, scale)));
  }

  /** As large as the width allows, but never too small to read. */
  #fit() {
    this.touched = false;
    const room = this.scroll.clientWidth - 34;
    if (room > 0) this.#size(Math.min(1, Math.max(MIN_SCALE, room / (this.plan.width + 8))));
  }

  #size(scale) {
    this.scale = scale;
    this.svg.setAttribute("width", String(Math.round((this.plan.width + 8) * scale)));
    this.svg.setAttribute("height", String(Math.round((this.plan.height + 8) * scale)));
  }
}


function subline(step, node) {
  const kind = node.kind ?? (node.for_each ? "for each" : "steps");
  if (!step || step.status === "pending" || step.status === "ready") return kind;
  if (step.reused) return `${kind} · taken over`;
  if (step.status === "skipped") return `${kind} · skipped`;
  return step.took_s !== null && step.took_s !== undefined ? `${kind} · ${duration(step.took_s)}` : kind;
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** What the shapes and colours mean. @param {string[]} states */
export function legend(states) {
  return h("div.legend", { role: "group", "aria-label": "Legend" }, states.map((state) => stateMark(state)));
}
