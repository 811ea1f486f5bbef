/** Rerun from a step: first what would be done again and why, then the new run. */

import { get, post, at } from "../api.js";
import { h, put, quoted } from "../dom.js";
import { plural } from "../format.js";
import { go } from "../router.js";
import { actionDialog } from "./dialog.js";
import { errorNote } from "./notice.js";

const MOST = 50;

/** @param {string} run @param {string} from the step */
export function rerunDialog(run, from) {
  const plan = h("div", { "aria-busy": "true" }, h("p.muted", null, "Working out what can be taken over…"));
  const edited = h("input", { type: "checkbox", on: { change: () => work() } });
  let turn = 0;
  actionDialog({
    title: `Rerun from ${from}`, action: "Rerun", testid: "rerun-dialog",
    body: [h("p.muted", null, "A new run. Steps before this one are taken over where they are the same."), plan,
      h("label.check", null, edited, "Use the pipeline as it is now, not as it was in this run")],
    run: async () => {
      const made = await post(`${at("runs", run)}/rerun`, { from, edited: edited.checked });
      go(at("runs", made.id));
    },
  });
  function work() {
    const mine = ++turn;
    get(`${at("runs", run)}/rerun`, { from, edited: edited.checked || null }).then((answer) => mine === turn && show(answer), (error) => mine === turn && put(plan, errorNote(error)));
  }
  function show({ reused = [], again = [] }) {
    plan.removeAttribute("aria-busy");
    put(plan,
      h("div.stack", null,
        h("div", null, h("b", null, plural(reused.length, "step")), " taken over", reused.length ? h("div.small.muted", null, some(reused)) : null),
        h("div", null, h("b", null, plural(again.length, "step")), " done again",
          h("ul.small", null, again.slice(0, MOST).map(({ step, reason }) => h("li", null, h("code", null, step), h("span.muted", null, " ", quoted(reason ?? ""))))),
          again.length > MOST ? h("p.small.faint", null, `and ${again.length - MOST} more`) : null)));
  }
  work();
}

const some = (names) => (names.length > MOST ? `${names.slice(0, MOST).join(", ")} and ${names.length - MOST} more` : names.join(", "));
