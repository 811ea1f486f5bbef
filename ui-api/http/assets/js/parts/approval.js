/** Answering an approval: its prompt, its form, and what was shown when the answer was given. */

import { get, post, at } from "../api.js";
import { h, put } from "../dom.js";
import { time } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";
import { inputForm } from "./form.js";
import { errorNote, note, toast } from "./notice.js";

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
  const after = wait.default === null || wait.default === undefined ? "" : `; then the answer is ${JSON.stringify(wait.default)}`;
  put(box, note({ state: "waiting", testid: "approval", title: wait.prompt ?? "An answer is needed", text: wait.until ? h("span.muted.small", null, "Open until ", time(wait.until), after) : null }),
    may("operator") ? answerBox : h("p.muted.small", null, "Answering needs the role operator."), problem);
  const build = (asked) => {
    const form = inputForm(asked.form ?? [], asked.default && typeof asked.default === "object" ? asked.default : {});
    const button = h("button.btn.main-action", { type: "submit", "data-testid": "approve" }, icon("approvals"), "Answer");
    const submit = async (event) => {
      event.preventDefault();
      const answer = form.read();
      if (!answer) return;
      button.disabled = true;
      try {
        await post(at("approvals", run, step), { shown: asked.shown, answer });
        toast("Answered.");
        document.dispatchEvent(new CustomEvent("millwork:approvals"));
        onDone?.();
        put(answerBox, h("p.muted", null, "Answered; the run goes on."));
      } catch (error) {
        // After a conflict the question may have changed: the new one has to be read before it is answered.
        put(problem, errorNote(error, error.status === 409 ? () => { put(problem); load(); } : undefined));
        button.disabled = false;
      }
    };
    put(answerBox, h("form.form", { novalidate: true, on: { submit } }, (asked.form ?? []).length ? form.node : null, h("div.actions", null, button)));
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
