/** Answering a question: its prompt, its form, and what was shown when the answer was given. */

import { get, post, at } from "../api.js";
import { h, put } from "../dom.js";
import { time } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";
import { inputForm } from "./form.js";
import { errorNote, note, toast } from "./notice.js";

const DEFAULTS = { approve: "then it counts as approved", refuse: "then it counts as refused" };

/**
 * The form for a wait; where the wait does not carry its form, the inbox does.
 * @param {string} run
 * @param {string} step
 * @param {any} wait an Approval of the list, or a Wait of a step
 * @param {() => void} [onDone]
 * @returns {HTMLElement}
 */
export function approvalForm(run, step, wait, onDone) {
  const box = h("div.stack");
  const answerBox = h("div.stack");
  const problem = h("div", { "aria-live": "polite" });
  put(box, note({ state: "waiting", testid: "approval", title: h("span.prompt", null, wait.prompt || "An answer is needed"), text: deadline(wait) }),
    may("operator") ? answerBox : h("p.muted.small", null, "Answering needs the role operator."), problem);
  async function send(asked, answer, buttons) {
    for (const button of buttons) button.disabled = true;
    try {
      await post(at("approvals", run, step), { shown: asked.shown, answer });
      toast(answer.approved ? "Approved." : "Refused.");
      document.dispatchEvent(new CustomEvent("millwork:approvals"));
      onDone?.();
      put(problem);
      put(answerBox, h("p.muted", null, answer.approved ? "Approved; the run goes on." : "Refused; the step fails."));
    } catch (error) {
      // After a conflict the question may have changed: the new one has to be read before it is answered.
      put(problem, errorNote(error, error.status === 409 ? () => { put(problem); load(); } : undefined));
      for (const button of buttons) button.disabled = false;
    }
  }
  const build = (asked) => {
    const form = inputForm(asked.form ?? []);
    const yes = h("button.btn.main-action", { type: "submit", "data-testid": "approve" }, icon("succeeded"), "Approve");
    const no = h("button.btn.danger", { type: "button", "data-testid": "refuse", on: { click: () => send(asked, { approved: false }, [yes, no]) } }, icon("failed"), "Refuse");
    const submit = (event) => {
      event.preventDefault();
      const values = form.read();
      if (values) send(asked, { approved: true, values }, [yes, no]);
    };
    put(answerBox, h("form.form", { novalidate: true, on: { submit } }, (asked.form ?? []).length ? form.node : null, h("div.actions", null, yes, no)));
  };
  async function load() {
    try {
      const { items } = await get("/approvals", { limit: 500 });
      const asked = items.find((item) => item.run === run && item.step === step);
      if (asked) build(asked);
      else { put(answerBox, h("p.muted", null, "It has been answered meanwhile.")); onDone?.(); }
    } catch (error) {
      put(problem, errorNote(error, load));
    }
  }
  if (wait.form) build(wait);
  else if (may("operator")) load();
  return box;
}

function deadline(wait) {
  if (!wait.until) return null;
  const after = wait.default === null || wait.default === undefined ? "" : `; ${DEFAULTS[wait.default] ?? `then the answer is ${JSON.stringify(wait.default)}`}`;
  return h("span.muted.small", null, "Open until ", time(wait.until), after);
}
