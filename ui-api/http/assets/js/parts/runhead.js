/** The head of a run's page: its state, what can be done with it, and what it waits for or failed of. */

import { get, post, at } from "../api.js";
import { h, put, say } from "../dom.js";
import { count, dayAndTime, duration, exactly, shortId, time } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";
import { isOver, setState, stateMark } from "../states.js";
import { attempt, note } from "./notice.js";
import { pageHead } from "./page.js";
import { rerunDialog } from "./rerun.js";
import { tookOf } from "./runlist.js";
import { startDialog } from "./start.js";
import { waitText } from "./steppanel.js";

/** Keeps itself up to date from the RunDetails it is given. */
export class RunHead {
  /** @param {string} id @param {{reload: () => void}} options */
  constructor(id, { reload }) {
    this.id = id;
    this.reload = reload;
    this.mark = stateMark("pending", { pill: true, text: "Loading" });
    this.name = h("span", null, shortId(id));
    this.took = h("span");
    this.facts = h("div.facts", { "data-testid": "run-facts" });
    this.notes = h("div.stack");
    this.actions = h("div.actions");
    this.node = h("div.stack", null, pageHead({
      crumbs: [["/runs", "Runs"]], title: [this.name, h("span", { "aria-live": "polite", "data-testid": "run-status" }, this.mark)], actions: [this.actions], under: this.facts,
    }), this.notes);
  }

  /** @param {any} detail a RunDetail */
  update(detail) {
    setState(this.mark, detail.status);
    say(this.name, detail.pipeline);
    document.title = `${detail.pipeline}: ${detail.status} · Millwork`;
    this.tick(detail);
    const { cause } = detail;
    this.#once("facts", [detail.owner, detail.parent, detail.status, detail.started_at, detail.interval, cause], () => put(this.facts,
      h("span", null, h("code", { title: detail.id }, detail.id)),
      h("span", null, detail.started_at ? "started " : "asked for ", time(detail.started_at ?? detail.created_at)),
      detail.queued_s >= 1 ? h("span", null, `queued for ${duration(detail.queued_s)}`) : null,
      this.took,
      cause ? causeNode(cause) : null,
      detail.interval ? h("span", null, "about ", intervalText(detail.interval)) : null,
      detail.parent && detail.parent !== cause?.run ? h("span", null, "part of ", h("a", { href: at("runs", detail.parent) }, shortId(detail.parent))) : null,
      detail.owner && !detail.owner.here && !isOver(detail.status) ? h("span", { title: detail.owner.command }, detail.owner.pid ? `in process ${detail.owner.pid}` : "in another process") : null,
      h("span", null, h("a", { href: at("pipelines", detail.pipeline) }, "pipeline"), detail.revision ? h("code.faint", { title: detail.revision }, ` ${detail.revision.slice(0, 8)}`) : null)));
    this.#once("actions", [detail.status], () => put(this.actions, this.#buttons(detail)));
    const waits = detail.waits.filter((step) => step.wait);
    this.#once("notes", [detail.status, detail.queue, detail.fault, detail.failed_step, waits.map((step) => [step.id, step.wait])], () => put(this.notes, this.#notes(detail, waits)));
  }

  /** The time that a run has taken so far. @param {any} detail */
  tick(detail) {
    const text = tookOf(detail);
    say(this.took, text ? `${isOver(detail.status) ? "took" : "for"} ${text}` : "");
    this.took.hidden = !text;
  }

  /** Rebuilds a part only when what it says has changed, so that a button under the pointer stays. */
  #once(part, values, build) {
    const said = JSON.stringify(values);
    this.said ??= {};
    if (this.said[part] === said) return;
    this.said[part] = said;
    build();
  }

  #buttons(detail) {
    if (!may("operator")) return [];
    const act = (name, text, sign, kind, done) => h("button.btn", {
      type: "button", class: kind, "data-testid": name, on: { click: async () => { await attempt(() => post(`${at("runs", this.id)}/${name}`), done); this.reload(); } },
    }, icon(sign), text);
    const buttons = [];
    if (!isOver(detail.status) && detail.status !== "interrupted") buttons.push(act("cancel", "Cancel", "stop", "danger", "The run is being cancelled. Cancel once more to stop it at once."));
    if (["interrupted", "failed", "cancelled"].includes(detail.status)) buttons.push(act("resume", "Resume", "play", null, "The run goes on from what is not done."));
    if (isOver(detail.status)) {
      const first = detail.failed_step ?? detail.plan.nodes[0]?.id;
      if (first) buttons.push(h("button.btn", { type: "button", "data-testid": "rerun-run", on: { click: () => rerunDialog(this.id, first) } }, icon("again"), detail.failed_step ? "Rerun from the failure" : "Rerun"));
      buttons.push(h("button.btn", { type: "button", "data-testid": "start-like", on: { click: () => this.#startLike(detail) } }, icon("play"), "Start again…"));
    }
    return buttons;
  }

  async #startLike(detail) {
    const pipeline = await attempt(() => get(at("pipelines", detail.pipeline)));
    if (pipeline) startDialog(pipeline, detail.inputs ?? {});
  }

  #notes(detail, waits) {
    const out = [];
    const { queue, fault } = detail;
    const open = (step) => h("a.btn.small", { href: `${at("runs", this.id)}?step=${encodeURIComponent(step)}` }, `Open ${step}`);
    if (queue) {
      out.push(note({
        state: "queued", testid: "queue", title: `Number ${count(queue.position)} in the queue${queue.estimate_s ? `, about ${duration(queue.estimate_s)}` : ""}`, text: queue.text,
        actions: (queue.holders ?? []).slice(0, 5).map((run) => h("a.btn.small", { href: at("runs", run) }, "Held by ", h("code", null, shortId(run)))),
      }));
    }
    if (detail.status === "interrupted") out.push(note({ state: "interrupted", title: "The process that ran this has ended", help: "Nothing that was recorded is lost. Resume goes on with what is not done." }));
    if (fault) {
      const blame = { user: "The pipeline or its data", external: "Something outside Millwork", internal: "Millwork itself" }[fault.blame];
      out.push(note({
        state: "failed", testid: "fault", code: fault.code, title: [detail.failed_step ? `${detail.failed_step}: ` : "", fault.message],
        text: blame ? `Cause: ${blame.toLowerCase()}.` : null, help: fault.help, actions: detail.failed_step ? [open(detail.failed_step)] : [],
      }));
    }
    for (const step of waits.slice(0, 5)) out.push(note({ state: "waiting", testid: "waits", title: waitText(step.wait), actions: [h("a.btn.small.main-action", { href: `${at("runs", this.id)}?step=${encodeURIComponent(step.id)}` }, step.wait.for === "approval" ? "Answer" : `Open ${step.id}`)] }));
    return out;
  }
}

/** Why a run was started; a run that led to it is a link. */
function causeNode({ text, run }) {
  const at_ = run ? text.indexOf(run) : -1;
  if (at_ < 0) return h("span", null, text);
  return h("span", null, text.slice(0, at_), h("a", { href: at("runs", run) }, shortId(run)), text.slice(at_ + run.length));
}

/** The time that a run is about, on the clocks of its zone. */
function intervalText({ start, end, zone }) {
  return h("span", { title: `${exactly(start)} to ${exactly(end)}` }, `${dayAndTime(start, zone)} to ${dayAndTime(end, zone)}${zone ? `, ${zone}` : ""}`);
}
