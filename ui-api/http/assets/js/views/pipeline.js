/** The page of one pipeline: its graph and runs, its text, its revisions, its schedules. */

import { get, at } from "../api.js";
import { h, later, put, say } from "../dom.js";
import { plural, triggerText } from "../format.js";
import { icon } from "../icons.js";
import { Live } from "../live.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";
import { stateMark } from "../states.js";
import { empty, errorNote, note } from "../parts/notice.js";
import { pageHead, pagedList, tabBar } from "../parts/page.js";
import { fillRuns, runList } from "../parts/runlist.js";
import { makeGraph } from "../parts/graph.js";
import { sourceView, showLine } from "../parts/source.js";
import { startDialog } from "../parts/start.js";
import { revisionsTab } from "../parts/revisions.js";
import { schedulesTab } from "../parts/pipeline_schedules.js";

export default function pipeline(place) {
  const page = new PipelinePage(place);
  return { title: page.name, node: page.node, ready: page.load(), update: (now) => page.show(now), leave: () => page.close() };
}

class PipelinePage {
  constructor(place) {
    this.name = place.params[0];
    this.query = place.query;
    this.tabs = new Map();
    this.lead = h("span");
    this.mark = h("span");
    this.facts = h("div.facts");
    this.problem = h("div.stack");
    this.body = h("div");
    this.bar = tabBar("Parts of the pipeline");
    this.start = h("button.btn.main-action", { type: "button", "data-testid": "start", hidden: true, on: { click: () => startDialog(this.view) } }, icon("play"), "Start run");
    this.node = h("div.page", null, pageHead({ title: [this.name, this.mark], crumbs: [["/pipelines", "Pipelines"]], lead: this.lead, actions: [this.start], under: this.facts }), this.problem, this.bar.node, this.body);
    this.paged = this.#runs();
    this.live = new Live("/events", {
      query: { pipeline: this.name }, onReturn: () => this.paged.reload(),
      on: (type) => (type === "run" || type === "gap") && this.reloadSoon(),
    });
    this.reloadSoon = later(() => this.paged.reload(), 500);
  }

  async load() {
    try {
      this.view = await get(at("pipelines", this.name));
      this.check = this.view.state === "ready" && !this.view.warnings ? { diagnostics: [] } : await get(`${at("pipelines", this.name)}/check`).catch(() => ({ diagnostics: [] }));
      this.head();
      this.show({ query: this.query });
      if (this.query.has("start")) { setQuery({ start: null }); if (!this.start.disabled && !this.start.hidden) startDialog(this.view); }
    } catch (error) {
      this.bar.node.hidden = !this.view;
      put(this.problem, errorNote(error, () => this.load()));
    }
  }

  head() {
    const { view } = this;
    say(this.lead, view.description ?? "");
    this.start.hidden = !may("operator");
    this.start.disabled = !view.revision && view.state !== "ready";
    this.bar.node.hidden = false;
    put(this.mark, view.state === "broken" ? stateMark("broken", { pill: true, text: plural(view.errors, "error") }) : view.warnings ? stateMark("warning", { pill: true, text: plural(view.warnings, "warning") }) : null);
    put(this.facts, h("code", null, view.path), view.revision ? h("span", null, "revision ", h("code", { title: view.revision }, view.revision.slice(0, 8))) : null,
      view.concurrency ? h("span", null, `at most ${view.concurrency.limit} at once in “${view.concurrency.group}”, then ${view.concurrency.on_conflict}`) : null,
      (view.triggers ?? []).map((trigger) => h("span.tag", { title: `${trigger.kind}: ${trigger.text}` }, triggerText(trigger))));
    put(this.problem, view.state === "broken" ? note({ state: "broken", title: `The text has ${plural(view.errors, "error")}`, actions: [h("a.btn.small", { href: `${location.pathname}?tab=source` }, "Show them in the source")] }) : null);
  }

  /** Another tab was asked for by the address. */
  show(place) {
    this.query = place.query;
    if (!this.view) return;
    const tab = this.query.get("tab") ?? "runs";
    const tabs = [{ name: "runs", text: "Graph and runs" }, { name: "source", text: "Source", count: this.check.diagnostics.length || null }, { name: "revisions", text: "Revisions" }, { name: "schedules", text: "Schedules", count: this.view.schedules || null }];
    const known = tabs.some(({ name }) => name === tab) ? tab : "runs";
    this.bar.fill(tabs, known);
    if (known === this.tab) return;
    this.tab = known;
    const made = this.tabs.get(known) ?? this.build(known);
    this.tabs.set(known, made);
    put(this.body, made.node);
  }

  build(name) {
    if (name === "source") return { node: this.#source() };
    if (name === "revisions") return { node: revisionsTab(this.name) };
    if (name === "schedules") return { node: schedulesTab(this.name) };
    const graph = h("section.card");
    this.#graph(graph);
    this.paged.restart();
    return { node: h("div.stack", null, graph, this.runsCard) };
  }

  async #graph(card) {
    if (!this.view.revision) return put(card, empty("There is no graph while the text has errors", "Once it passes its check, the steps are drawn here."));
    try {
      const plan = await get(`${at("pipelines", this.name)}/plan`);
      this.drawing = makeGraph(plan, (id) => this.#showStep(plan.nodes.find((node) => node.id === id)));
      put(card, this.drawing.node);
    } catch (error) {
      put(card, errorNote(error, () => this.#graph(card)));
    }
  }

  /** A step of a pipeline is its lines in the source. */
  #showStep(node) {
    setQuery({ tab: "source" }, { replace: false });
    if (node?.line) this.lineWanted = node.line;
    const source = this.body.querySelector(".source");
    if (source && node?.line) showLine(source, node.line);
  }

  #source() {
    const box = h("section.card", null, h("div.empty", null, "Reading…"));
    const load = async () => {
      try {
        const { text, path } = await get(`${at("pipelines", this.name)}/source`);
        const { diagnostics } = this.check;
        const source = sourceView(text, diagnostics);
        put(box, h("header", null, h("h2", null, h("code", null, path ?? this.view.path)), h("span.muted.small", null, diagnostics.length ? "" : "Passes its check."),
          h("div.bar", null, diagnostics.map((d) => h("button.btn.small", { type: "button", data: { state: d.severity }, on: { click: () => showLine(source, d.line) } }, `${d.code}, line ${d.line}`)))), source);
        if (this.lineWanted) showLine(source, this.lineWanted);
      } catch (error) {
        put(box, errorNote(error, load));
      }
    };
    load();
    return box;
  }

  #runs() {
    const list = runList("Runs");
    const none = h("div", { hidden: true }, empty("No run yet", !may("operator") ? "Starting one needs the role operator." : h("span", null, "One is started with Start run, above, or by its schedules and triggers.")));
    const paged = pagedList({
      path: "/runs", limit: 25, query: () => ({ pipeline: this.name }),
      show(items) { fillRuns(list, items, { hidePipeline: true }); none.hidden = items.length > 0; },
    });
    this.runsCard = h("section.card", null, h("header", null, h("h2", null, "Runs")), list, none, paged.node);
    return paged;
  }

  close() {
    this.live.close();
    this.drawing?.close();
  }
}
