/** The words and shapes of states, in one place. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const WORDS = {
  queued: "Queued", running: "Running", waiting: "Waiting", interrupted: "Interrupted", succeeded: "Succeeded",
  failed: "Failed", cancelled: "Cancelled", pending: "Pending", ready: "Ready", skipped: "Skipped",
  broken: "Broken", warning: "Warning", error: "Error", paused: "Paused", done: "Done",
};
const SHAPES = { error: "failed", broken: "failed", done: "succeeded" };
const OVER = new Set(["succeeded", "failed", "cancelled"]);
const STILL = new Set(["succeeded", "failed", "cancelled", "skipped"]);

/** @param {string} state @returns {string} */
export const word = (state) => WORDS[state] ?? state;

/** @param {string} state @returns {string} the name of its icon */
export const shape = (state) => SHAPES[state] ?? state;

/** Whether a run in this state is over for good. @param {string} state */
export const isOver = (state) => OVER.has(state);

/** Whether a step in this state will not move again. @param {string} state */
export const isSettled = (state) => STILL.has(state);

/**
 * A state as icon and word.
 * @param {string} state
 * @param {{pill?: boolean, text?: string}} [options]
 * @returns {HTMLElement}
 */
export function stateMark(state, options = {}) {
  const el = h("span.state", { class: options.pill ? "pill" : null });
  setState(el, state, options.text);
  return el;
}

/**
 * Changes a mark made by `stateMark`, touching nothing if it says so already.
 * @param {HTMLElement} el
 * @param {string} state
 * @param {string} [text]
 */
export function setState(el, state, text) {
  const said = text ?? word(state);
  if (el.dataset.state === state && el.lastChild?.textContent === said) return;
  el.dataset.state = state;
  el.replaceChildren(icon(shape(state)), h("span", null, said));
}
