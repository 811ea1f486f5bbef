/** A form made from declared inputs: types, choices, defaults, and checks before anything is sent. */

import { h } from "../dom.js";
import { json } from "../format.js";
import { field } from "./fields.js";
import { parseValue, showValue } from "./types.js";

/**
 * @typedef {{name: string, type: string, required: boolean, default: any, default_text: string|null, description: string|null, enum: any[]}} Input
 */

/**
 * @param {Input[]} inputs
 * @param {Record<string, any>} [given] values to begin with, instead of the defaults
 * @returns {{node: HTMLElement, read: () => Record<string, any>|null}} `read` gives null and shows what is wrong, if something is
 */
export function inputForm(inputs, given = {}) {
  const parts = inputs.map((input) => one(input, given));
  const node = h("div.form", null, parts.length ? parts.map((part) => part.node) : h("p.muted", null, "Nothing has to be filled in."));
  return {
    node,
    read() {
      const values = {};
      let wrong = null;
      for (const part of parts) {
        const { value, problem } = part.read();
        part.problem(problem);
        if (problem !== null) wrong ??= part.control;
        else if (value !== undefined) values[part.name] = value;
      }
      wrong?.focus();
      return wrong ? null : values;
    },
  };
}

function one(input, given) {
  const optional = !input.required;
  const start = input.name in given ? given[input.name] : input.default;
  const type = input.type ?? "any";
  const base = type.replace(/\?$/, "");
  const choices = input.enum ?? [];
  const control = make(base, choices, start, optional);
  const { node, problem } = field({
    label: input.name, control, type, required: input.required,
    hint: [input.description, input.default_text ? [input.description ? h("br") : null, "Left empty: ", h("code", null, input.default_text)] : null, base.startsWith("list<") && !choices.length ? [input.description || input.default_text ? h("br") : null, "One a line."] : null],
  });
  node.dataset.testid = `input-${input.name}`;
  const read = () => {
    if (choices.length) return control.value === "" ? missing(input) : { value: choices[Number(control.value)], problem: null };
    if (control.type === "checkbox") return { value: control.checked, problem: null };
    const text = control.value;
    if (text.trim() === "" && !(base === "string" && start === "" )) return missing(input);
    return parseValue(base, text);
  };
  // A message that comes or goes moves what is below it; a button that is being pressed must not move away.
  control.addEventListener("input", () => control.hasAttribute("aria-invalid") && problem(read().problem));
  control.addEventListener("change", () => whenReleased(() => problem(read().problem)));
  return { name: input.name, node, control, problem, read };
}

let pressed = false;
for (const [type, now] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) document.addEventListener(type, () => { pressed = now; }, true);

/** Does something now, or after the click that is under way. */
function whenReleased(act) {
  if (!pressed) return act();
  document.addEventListener("click", () => setTimeout(act), { once: true, capture: true });
}

const missing = (input) => (input.required ? { value: undefined, problem: "This is needed." } : { value: undefined, problem: null });

function make(base, choices, start, optional) {
  if (choices.length) {
    const at = choices.findIndex((choice) => json(choice) === json(start));
    const none = optional || at < 0 ? [h("option", { value: "" }, optional ? "(default)" : "Choose…")] : [];
    const select = h("select.select", null, none, choices.map((choice, i) => h("option", { value: String(i) }, typeof choice === "string" ? choice : json(choice))));
    select.value = at < 0 ? "" : String(at);
    return select;
  }
  if (base === "bool" && typeof start === "boolean") return h("input", { type: "checkbox", class: "checkbox", checked: start });
  if (base === "bool") return boolSelect(optional);
  const text = start === null || start === undefined ? "" : showValue(base, start);
  if (/^(list|map|object|any|table)/.test(base)) return h("textarea.textarea", { rows: 3, spellcheck: "false", value: text });
  const extra = base === "int" ? { inputmode: "numeric" } : base === "float" ? { inputmode: "decimal" } : {};
  const placeholder = { timestamp: "2026-01-31T06:00:00Z", duration: "90s, 10m, 1h30m", date: "2026-01-31" }[base];
  return h("input.input", { type: base === "date" ? "date" : "text", autocomplete: "off", spellcheck: "false", placeholder, value: text, ...extra });
}

/** A boolean that nobody chose yet must not look like "no". */
function boolSelect(optional) {
  return h("select.select", null, h("option", { value: "" }, optional ? "(default)" : "Choose…"), h("option", { value: "true" }, "true"), h("option", { value: "false" }, "false"));
}
