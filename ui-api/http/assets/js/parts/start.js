/** Starting a run of a pipeline, by a form made from what it asks for. */

import { post, at, freshKey } from "../api.js";
import { h } from "../dom.js";
import { go } from "../router.js";
import { actionDialog } from "./dialog.js";
import { inputForm } from "./form.js";

/**
 * @param {{name: string, inputs: any[]}} pipeline
 * @param {Record<string, any>} [given] values to begin with
 */
export function startDialog(pipeline, given) {
  const form = inputForm(pipeline.inputs ?? [], given);
  const priority = h("input.input", { type: "number", min: 0, step: 1, placeholder: "0", "aria-label": "Priority" });
  let key = freshKey();
  let sent = "";
  actionDialog({
    title: `Start ${pipeline.name}`, action: "Start run", testid: "start-dialog",
    body: [form.node, h("details", null, h("summary.muted.small", null, "Priority"), h("p.hint.small.muted", null, "A larger number goes first where runs wait for each other."), priority)],
    run: async () => {
      const inputs = form.read();
      if (!inputs) return false;
      const body = { pipeline: pipeline.name, inputs, ...(priority.value ? { priority: Number(priority.value) } : {}) };
      // A second press after a lost answer finds the same run; another request is another run.
      const text = JSON.stringify(body);
      if (sent && sent !== text) key = freshKey();
      sent = text;
      const run = await post("/runs", body, { "Idempotency-Key": key });
      go(at("runs", run.id));
    },
  });
}
