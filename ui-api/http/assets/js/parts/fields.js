/** Fields that stand alone: search, and a labelled control. */

import { h, later } from "../dom.js";
import { icon } from "../icons.js";

/**
 * A search field that `/` reaches.
 * @param {{label: string, value?: string, onInput: (text: string) => void, testid?: string}} options
 */
export function searchField({ label, value, onInput, testid }) {
  const tell = later(() => onInput(input.value.trim()), 150);
  const input = h("input.input", { type: "search", placeholder: label, "aria-label": label, value: value ?? "", autocomplete: "off", spellcheck: "false", "data-search": true, "data-testid": testid, on: { input: tell } });
  return { node: h("div.search", null, icon("search"), input, h("kbd", { "aria-hidden": "true" }, "/")), input };
}

let ids = 0;

/**
 * A control with its label, type, hint and place for a problem.
 * @param {{label: string, control: HTMLElement, type?: string|null, hint?: any, required?: boolean}} options
 * @returns {{node: HTMLElement, problem: (text: string|null) => void}}
 */
export function field({ label, control, type, hint, required }) {
  const id = `f${++ids}`;
  control.id = id;
  const hintNode = hint ? h("div.hint", { id: `${id}-hint` }, hint) : null;
  const problem = h("div.problem", { id: `${id}-problem`, hidden: true, "aria-live": "polite" });
  control.setAttribute("aria-describedby", `${hintNode ? `${id}-hint ` : ""}${id}-problem`);
  if (required) control.setAttribute("aria-required", "true");
  const node = h("div.field", null,
    h("label", { htmlFor: id }, label, required ? h("span.faint.small", null, "required") : null, type ? h("span.type", null, type) : null),
    hintNode, control, problem);
  return {
    node,
    problem(text) {
      problem.hidden = text === null;
      problem.replaceChildren(...(text === null ? [] : [icon("failed"), text]));
      if (text === null) control.removeAttribute("aria-invalid");
      else control.setAttribute("aria-invalid", "true");
    },
  };
}
