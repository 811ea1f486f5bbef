/** The panel of one step: state, fault, why, attempts, outputs, items. */

import { get, at } from "../api.js";
import { h, later, put, quoted } from "../dom.js";
import { count, duration, time } from "../format.js";
import { icon } from "../icons.js";
import { isSettled, setState, stateMark } from "../states.js";
import { may } from "../session.js";
import { approvalForm } from "./approval.js";
import { ItemsView } from "./items.js";
import { errorNote, note } from "./notice.js";
import { outputNodes } from "./outputs.js";
import { rerunDialog } from "./rerun.js";

const SKIPPED = {
  condition: "its condition did not hold", upstream: "a step that it needs did not succeed",
  not_selected: "it was not asked for", run_ending: "the run was ending",
};

/** Keeps itself up to date from the StepViews it is given. */
export class StepPanel {
  /** @param {{run: string, step: any, node: any, over: () => boolean, onClose: () => void, onLog: (step: string) => void}} options */
  constructor(options) {
    this.options = options;
    const { run, step, onClose, onLog } = options;
    this.mark = stateMark(step.status, { pill: true });
    this.facts = h("dl.pairs");
    this.fault = h("div");
    this.wait = h("div");
    this.why = h("div");
    this.log = h("div");
    this.outputs = h("div.stack");
    this.itemsBox = h("div");
    this.rerun = h("button.btn.small", { type: "button", "data-testid": "rerun", on: { click: () => rerunDialog(run, step.id) } }, icon("again"), "Rerun from here");
    this.rerun.hidden = !may("operator") || !options.over();
    const whyButton = h("button.btn.small", { type: "button", "data-testid": "why", on: { click: () => this.#askWhy(true) } }, icon("info"), "Why");
    this.node = h("aside.card.panel", { "aria-label": `Step ${step.id}`, "data-testid": "step-panel" },
      h("header", null, h("h2.clip", null, step.id), this.mark, h("div.actions", null, h("button.btn.quiet.icon-only", { type: "button", "aria-label": "Close the panel", "data-testid": "panel-close", on: { click: onClose } }, icon("close")))),
      h("div.body", null, this.wait, this.fault,
        h("div.bar", null, h("button.btn.small", { type: "button", on: { click: () => onLog(step.id) } }, icon("audit"), "Log"), whyButton, this.rerun),
        this.why, this.facts, this.itemsBox, this.outputs, this.log));
    this.loadSoon = later(() => this.#load(), 200);
    this.update(step);
    this.#load();
  }

  /** @param {any} step a StepView */
  update(step) {
    const before = this.step?.status;
    this.step = step;
    setState(this.mark, step.status);
    this.rerun.hidden = !may("operator") || !this.options.over();
    put(this.facts, facts(step, this.options.node));
    const said = step.fault ? `${step.fault.code} ${step.fault.message}` : "";
    if (said !== this.saidFault) {
      this.saidFault = said;
      put(this.fault, step.fault ? errorNote({ title: step.fault.message, code: step.fault.code, help: step.fault.help }) : null);
    }
    this.#waits(step);
    if (step.items) {
      if (this.items) this.items.update(step);
      else {
        this.items = new ItemsView({ run: this.options.run, step, onLog: () => this.options.onLog(step.id) });
        put(this.itemsBox, this.items.node);
      }
    }
    if (before && before !== step.status) {
      this.loadSoon();
      if (this.why.childElementCount) this.#askWhy(false);
    }
    if (!before && ["skipped", "pending"].includes(step.status)) this.#askWhy(false);
  }

  close() {
    this.closed = true;
    this.items?.close();
  }

  #waits(step) {
    const wait = step.wait;
    const said = JSON.stringify(wait ?? null);
    if (said === this.saidWait) return;
    this.saidWait = said;
    if (wait?.for === "approval") put(this.wait, approvalForm(this.options.run, step.id, wait));
    else put(this.wait, wait ? note({ state: "waiting", title: waitText(wait) }) : null);
  }

  async #load() {
    try {
      const detail = await get(at("runs", this.options.run, "steps", this.step.id));
      if (this.closed) return;
      const outputs = detail.outputs ?? [];
      put(this.outputs, outputs.length ? outputNodes(this.options.run, this.step.id, outputs) : isSettled(this.step.status) ? h("p.faint.small", null, "No outputs.") : null);
      const log = detail.attempts_log ?? [];
      put(this.log, log.length > 1 || log.some((one) => one.fault) ? attempts(log) : null);
    } catch (error) {
      if (!this.closed) put(this.outputs, errorNote(error, () => this.#load()));
    }
  }

  async #askWhy(loud) {
    try {
      const { text } = await get(at("runs", this.options.run, "why"), { step: this.step.id });
      if (!this.closed) put(this.why, text?.length ? h("div.why", { "data-testid": "why-text" }, text.map((line) => h("div", null, quoted(line)))) : null);
    } catch (error) {
      if (loud && !this.closed) put(this.why, errorNote(error));
    }
  }
}

/** What a step waits for. @param {any} wait @returns {any[]} */
export function waitText(wait) {
  if (wait.for === "until") return ["Waits until ", time(wait.until)];
  if (wait.for === "run") return ["Waits for ", h("a", { href: at("runs", wait.run) }, wait.run)];
  if (wait.for === "budget") return [`Waits for ${wait.resource}: the budget is used up`];
  if (wait.for === "approval") return ["Waits for an answer: ", wait.prompt];
  return [`Waits for ${wait.for}`];
}

function facts(step, node) {
  const rows = [
    ["Kind", node?.kind ?? (node ? "several steps" : null)],
    ["Attempts", step.attempts ? count(step.attempts) : null],
    ["Started", time(step.started_at)],
    ["Took", step.took_s !== null && step.took_s !== undefined ? duration(step.took_s) : null],
    ["Rows", step.rows !== null && step.rows !== undefined ? count(step.rows) : null],
    ["Taken over", step.reused ? "from an earlier run; nothing was done again" : null],
    ["Skipped", SKIPPED[step.skip_reason] ?? step.skip_reason],
    ["Effect", node?.effect === "external" ? "acts on something outside" : null],
    ["Defined", node?.line ? `line ${node.line}` : null],
  ];
  return rows.filter(([, value]) => value).map(([name, value]) => [h("dt", null, name), h("dd", null, value)]);
}

function attempts(log) {
  return h("section", null, h("h3", null, "Attempts"), h("ol.rows.small", null, log.map((one) => h("li", null,
    h("div", null, h("b", null, `${one.attempt} `), time(one.started_at), one.ended_at ? ` · ${duration((Date.parse(one.ended_at) - Date.parse(one.started_at)) / 1000)}` : ""),
    one.fault ? h("div.muted", null, h("code", null, one.fault.code), ` ${one.fault.message}`) : null))));
}
