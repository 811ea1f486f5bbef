/** Dialogs: the browser's own, so that focus and Escape are right. */

import { h, put } from "../dom.js";
import { icon } from "../icons.js";
import { errorNote } from "./notice.js";

/**
 * @param {{title: string, body: Node|Node[], foot?: Node[], wide?: boolean, testid?: string, onClose?: () => void}} options
 * @returns {HTMLDialogElement}
 */
export function openDialog({ title, body, foot, wide, testid, onClose }) {
  const from = /** @type {HTMLElement|null} */ (document.activeElement);
  const close = h("button.btn.quiet.icon-only", { type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"));
  const dialog = h("dialog.dialog", { class: wide ? "wide" : null, "aria-label": title, "data-testid": testid },
    h("header", null, h("h2", null, title), close), h("div.body", null, body), foot ? h("footer", null, foot) : null);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => {
    dialog.remove();
    onClose?.();
    if (from?.isConnected) from.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * A dialog that does one thing: it stays with the error if that fails and goes when it is done.
 * @param {{title: string, body: Node|Node[], action: string, danger?: boolean, wide?: boolean, testid?: string, run: () => Promise<any>}} options
 *   `run` may give `false` to keep the dialog open
 * @returns {HTMLDialogElement}
 */
export function actionDialog({ title, body, action, danger, wide, testid, run }) {
  const problem = h("div", { "aria-live": "polite" });
  const act = h("button.btn", { type: "submit", class: danger ? "danger" : "main-action" }, action);
  const form = h("form.form", { novalidate: true, id: `form-${Math.random().toString(36).slice(2)}` }, body, problem);
  act.setAttribute("form", form.id);
  const cancel = h("button.btn", { type: "button", on: { click: () => dialog.close() } }, "Close");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    act.disabled = true;
    put(problem);
    try {
      if ((await run()) !== false) dialog.close();
    } catch (error) {
      put(problem, errorNote(error));
      problem.scrollIntoView({ block: "nearest" });
    } finally {
      act.disabled = false;
    }
  });
  const dialog = openDialog({ title, body: form, foot: [cancel, act], wide, testid });
  // Not the cross in the corner, which the browser would take, but what is to be filled in or pressed.
  const fields = [...form.querySelectorAll("input:not([type=checkbox]), select, textarea")];
  (fields.find((el) => el.checkVisibility()) ?? act).focus();
  return dialog;
}
