/** Shortcuts of the keyboard, and the list of them. */

import { h } from "./dom.js";
import { openDialog } from "./parts/dialog.js";
import { go } from "./router.js";

const PLACES = { o: "/", r: "/runs", p: "/pipelines", a: "/approvals", s: "/schedules" };
const HELP = [
  [["/"], "Search on this page"],
  [["j", "k"], "Next and previous in a list (arrows too)"],
  [["Enter"], "Open what is chosen"],
  [["Esc"], "Close a dialog or the panel of a step"],
  [["g", "o"], "Go to the overview"],
  [["g", "r"], "Go to runs"],
  [["g", "p"], "Go to pipelines"],
  [["g", "a"], "Go to approvals"],
  [["g", "s"], "Go to schedules"],
  [["?"], "This list"],
];

let going = 0;

/** Listens for shortcuts on the whole page. */
export function startKeys() {
  document.addEventListener("keydown", onKey);
}

/** Shows the list of shortcuts. */
export function showKeys() {
  const list = h("dl.keys", null, HELP.map(([keys, text]) => [h("dt", null, keys.map((key) => h("kbd", null, key))), h("dd", null, text)]));
  openDialog({ title: "Keyboard shortcuts", body: list });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (Date.now() - going < 1200 && PLACES[event.key]) {
    going = 0;
    event.preventDefault();
    go(PLACES[event.key]);
    return;
  }
  const act = ACTS[event.key];
  if (act && act() !== false) event.preventDefault();
}

const ACTS = {
  "/": () => (searchOf("#main") ?? searchOf(".side"))?.focus(),
  "?": () => showKeys(),
  g: () => { going = Date.now(); },
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => (inList() ? step(1) : false),
  ArrowUp: () => (inList() ? step(-1) : false),
  Escape: () => { document.dispatchEvent(new CustomEvent("millwork:escape")); },
};

/** The first search field of a part of the page that can be seen. */
const searchOf = (part) => [...document.querySelectorAll(`${part} [data-search]`)].find((el) => el.offsetParent);

const inList = () => document.activeElement?.hasAttribute("data-row");

/** Moves the focus among the rows of the page; windowed lists do it themselves. */
function step(by) {
  const rows = [...document.querySelectorAll("#main [data-row]")].filter((row) => row.offsetParent);
  if (!rows.length) return document.querySelector("#main .vlist[tabindex]")?.focus() ?? false;
  const at = rows.indexOf(/** @type {any} */ (document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  rows[next].focus();
}
