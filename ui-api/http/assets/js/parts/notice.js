/** What is said when there is nothing, when something went wrong, and when something was done. */

import { h, quoted } from "../dom.js";
import { icon } from "../icons.js";
import { shape } from "../states.js";

/**
 * A box with a sign, a title and a text.
 * @param {{state: string, title: any, text?: any, help?: string|null, code?: string|null, actions?: any[], testid?: string}} options
 * @returns {HTMLElement}
 */
export function note({ state, title, text, help, code, actions, testid }) {
  return h("div.note", { data: { state }, "data-testid": testid }, icon(shape(state)),
    h("div", null,
      h("div.title", null, Array.isArray(title) ? title.map(quoted) : quoted(title), code ? h("code.faint", null, ` ${code}`) : null),
      text ? h("div", null, quoted(text)) : null,
      help ? h("div.help", null, quoted(help)) : null,
      actions?.length ? h("div.actions", null, actions) : null));
}

/**
 * An error of the API, with its help.
 * @param {any} error
 * @param {() => void} [again] offers to try once more
 */
export function errorNote(error, again) {
  // The title of a problem is only what HTTP calls its status; its detail, the message, says what went wrong.
  const title = error.message || error.title || "Something went wrong";
  const places = (error.diagnostics ?? []).map((d) => h("div.small", null, h("code", null, `${d.file ?? ""}:${d.line}:${d.column} ${d.code}`), " ", quoted(d.message)));
  // What is not there, or is refused, does not come by asking again.
  const retry = again && ![403, 404].includes(error.status) ? [h("button.btn.small", { type: "button", on: { click: again } }, icon("again"), "Try again")] : [];
  return note({ state: "error", title, text: places.length ? places : null, help: error.help, code: error.code, actions: retry, testid: "error" });
}

/**
 * What to do next where a list is empty.
 * @param {string} title
 * @param {...any} text
 */
export function empty(title, ...text) {
  return h("div.empty", { "data-testid": "empty" }, h("b", null, title), text.length ? h("div", null, text) : null);
}

/** Says in passing that something was done. @param {string} text */
export function toast(text) {
  const box = document.querySelector(".toasts") ?? document.body.appendChild(h("div.toasts", { role: "status" }));
  const item = h("div.toast", null, quoted(text));
  box.append(item);
  setTimeout(() => item.remove(), 4000);
}

/** Does something and tells of its failure in passing. @param {() => Promise<any>} act @param {string} [done] */
export async function attempt(act, done) {
  try {
    const value = await act();
    if (done) toast(done);
    return value;
  } catch (error) {
    toast([error.message, error.help].filter(Boolean).join(" "));
    return null;
  }
}
