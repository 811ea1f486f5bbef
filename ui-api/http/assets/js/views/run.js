/** The page of one run. */

import { h, put } from "../dom.js";
import { isOver } from "../states.js";
import { RunModel } from "../runmodel.js";
import { setQuery } from "../router.js";
import { makeGraph } from "../parts/graph.js";
import { LogView } from "../parts/log.js";
import { errorNote } from "../parts/notice.js";
import { tabBar } from "../parts/page.js";
import { runOutputs } from "../parts/outputs.js";
import { RunHead } from "../parts/runhead.js";
import { runCard } from "../parts/runlist.js";
import { StepList } from "../parts/steplist.js";
import { StepPanel } from "../parts/steppanel.js";
import { Timeline } from "../parts/timeline.js";

const LEGEND = ["succeeded", "running", "waiting", "failed", "skipped", "cancelled", "pending"];

export default function run(place) {
  const page = new RunPage(place);
  return { title: `Run ${place.params[0]}`, node: page.node, ready: page.model.load(), update: (now) => page.show(now), leave: () => page.close() };
}

/** Builds each tab when it is first looked at and keeps it, so that going back finds it as it was. */
class RunPage {
  constructor(place) {
    this.id = place.params[0];
    this.query = place.query;
    this.tabs = new Map();
    this.tab = "";
    this.bar = tabBar("Parts of the run");
    this.body = h("div");
    this.layout = h("div.run-layout", null, this.body);
    this.problem = h("div");
    this.model = new RunModel(this.id, {
      onChange: (changes) => this.changed(changes),
      onLog: (lines) => this.tabs.get("logs")?.log.take(lines),
      onError: (error) => {
        this.head.mark.hidden = this.bar.node.hidden = !this.model.detail;
        put(this.problem, errorNote(error, () => this.model.load()));
      },
    });
    this.head = new RunHead(this.id, { reload: () => this.model.reloadSoon() });
    this.node = h("div.page", { "data-testid": "run" }, this.head.node, this.problem, this.bar.node, this.layout);
    this.onEscape = () => this.query.has("step") && this.openStep(null);
    document.addEventListener("millwork:escape", this.onEscape);
    // Times of what is under way go on without events.
    this.clock = setInterval(() => this.tick(), 1000);
  }

  /** Another tab or step was asked for by the address. */
  show(place) {
    this.query = place.query;
    if (this.model.detail) this.render();
  }

  openStep(id) {
    return setQuery({ step: id });
  }

  openLog(step) {
    this.tabs.get("logs")?.log.setStep(step);
    const narrow = matchMedia("(max-width: 1100px)").matches;
    setQuery({ tab: "logs", of: step, ...(narrow ? { step: null } : {}) });
  }

  changed(changes) {
    const { model } = this;
    put(this.problem);
    this.head.mark.hidden = this.bar.node.hidden = false;
    if (changes.all || changes.run) this.head.update(model.detail);
    if (changes.all) {
      for (const tab of this.tabs.values()) tab.all?.();
      this.render();
    }
    for (const id of changes.steps) {
      const step = model.steps.get(id);
      for (const tab of this.tabs.values()) tab.step?.(step);
      if (this.panel?.id === id) this.panel.view.update(step);
    }
    if (changes.steps.size) this.tabs.get("timeline")?.soon();
    if (changes.all && this.panel) this.panel.view.update(model.steps.get(this.panel.id));
  }

  tick() {
    const { detail } = this.model;
    if (!detail || isOver(detail.status) || document.hidden) return;
    this.head.tick(detail);
    this.tabs.get(this.tab)?.tick?.();
  }

  render() {
    const { detail } = this.model;
    const tab = this.query.get("tab") ?? "steps";
    const tabs = [
      { name: "steps", text: "Steps", count: detail.plan.nodes.length }, { name: "timeline", text: "Timeline" }, { name: "logs", text: "Logs" }, { name: "outputs", text: "Outputs" },
      ...(detail.children.length ? [{ name: "children", text: "Child runs", count: detail.children.length }] : []),
    ];
    const known = tabs.some(({ name }) => name === tab) ? tab : "steps";
    this.bar.fill(tabs, known);
    if (known !== this.tab) {
      this.tab = known;
      const made = this.tabs.get(known) ?? this.build(known);
      this.tabs.set(known, made);
      put(this.body, made.node);
      made.shown?.();
    }
    this.showPanel();
  }

  build(name) {
    const { model, id } = this;
    const open = (step) => this.openStep(step);
    if (name === "timeline") return this.buildTimeline(open);
    if (name === "logs") {
      const log = new LogView({ run: id, steps: [...model.steps.keys()], step: this.query.get("of"), live: !isOver(model.detail.status), onStep: (step) => setQuery({ of: step || null }) });
      log.ready = (total) => !log.step && !log.q && model.withLogs(total);
      return { node: log.node, log, close: () => log.close(), all: () => log.grow() };
    }
    if (name === "outputs") {
      const box = h("div");
      let said = "";
      const fill = () => { if (said !== model.detail.status) { said = model.detail.status; put(box, runOutputs(model.detail, [...model.steps.values()])); } };
      fill();
      return { node: box, all: fill };
    }
    if (name === "children") {
      const card = runCard("Child runs", null, h("div.empty", null, "No child runs."));
      const fill = () => card.fill(model.detail.children);
      fill();
      return { node: card.node, all: fill };
    }
    return this.buildSteps(open);
  }

  buildSteps(open) {
    const { model } = this;
    const { plan } = model.detail;
    const graph = makeGraph(plan, open, { legend: LEGEND });
    const list = new StepList({ steps: () => [...model.steps.values()], kinds: new Map(plan.nodes.map((node) => [node.id, node])), onOpen: open });
    const all = () => { for (const step of model.steps.values()) graph.update(step); list.refresh(); };
    all();
    const choose = (id) => { graph.choose(id); list.choose(id); };
    return {
      node: h("div.stack", null, h("section.card", null, graph.node), list.node),
      all, choose, step: (step) => { graph.update(step); list.update(step); }, tick: () => list.list.refresh(), close: () => { graph.close(); list.close(); },
    };
  }

  buildTimeline(open) {
    const { model } = this;
    const end = () => { const { detail } = model; return detail.ended_at ? Date.parse(detail.ended_at) : isOver(detail.status) ? 0 : Date.now(); };
    const line = new Timeline({ steps: () => [...model.steps.values()], edges: model.detail.plan.edges, start: () => Date.parse(model.detail.started_at ?? model.detail.created_at), end, onOpen: open });
    const soon = () => { if (this.tab === "timeline") line.refresh(); };
    return { node: h("section.card", null, line.node), shown: () => line.refresh(), all: soon, soon, tick: soon, close: () => line.close() };
  }

  showPanel() {
    const { model } = this;
    const wanted = this.query.get("step");
    const step = wanted ? model.steps.get(wanted) : null;
    const id = step ? step.id : null;
    if ((this.panel?.id ?? null) !== id) {
      const before = this.panel;
      before?.view.close();
      if (before?.view.node.contains(document.activeElement) && before.from?.isConnected) before.from.focus();
      before?.view.node.remove();
      this.panel = null;
      if (step) {
        const view = new StepPanel({
          run: this.id, step, node: model.detail.plan.nodes.find((node) => node.id === id), over: () => isOver(model.detail.status) || model.detail.status === "interrupted",
          onClose: () => this.openStep(null), onLog: (name) => this.openLog(name),
        });
        this.panel = { id, view, from: document.activeElement };
        this.layout.append(view.node);
        // On a narrow window the panel covers the page, so the focus goes along; on a wide one the list keeps it.
        if (matchMedia("(max-width: 1100px)").matches) view.node.querySelector("button")?.focus();
      }
      this.layout.classList.toggle("with-panel", Boolean(step));
    }
    if (this.chosen !== id || this.chosenTab !== this.tab) {
      this.chosen = id;
      this.chosenTab = this.tab;
      this.tabs.get("steps")?.choose(id);
    }
  }

  close() {
    clearInterval(this.clock);
    document.removeEventListener("millwork:escape", this.onEscape);
    this.model.close();
    this.panel?.view.close();
    for (const tab of this.tabs.values()) tab.close?.();
  }
}
