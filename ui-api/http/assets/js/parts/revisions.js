/** The revisions of a pipeline, and what changed between two of them. */

import { get, at } from "../api.js";
import { h, put } from "../dom.js";
import { plural, time } from "../format.js";
import { diffView, sourceView } from "./source.js";
import { openDialog } from "./dialog.js";
import { empty, errorNote } from "./notice.js";

/** @param {string} pipeline @returns {HTMLElement} */
export function revisionsTab(pipeline) {
  const list = h("ul.rows", { "aria-label": "Revisions" });
  const side = h("section.card");
  const root = `${at("pipelines", pipeline)}/revisions`;
  let turn = 0;
  async function compare(from, to) {
    const mine = ++turn;
    for (const button of list.querySelectorAll("button[data-revision]")) button.setAttribute("aria-pressed", String(button.dataset.revision === to.revision));
    const head = h("header", null, h("h2", null, from ? ["Changes of ", h("code", null, to.revision.slice(0, 8))] : ["First revision ", h("code", null, to.revision.slice(0, 8))]),
      from ? h("span.muted.small", null, "against ", h("code", null, from.revision.slice(0, 8))) : null,
      h("div.actions", null, h("button.btn.small", { type: "button", on: { click: () => whole(to) } }, "Whole text")));
    try {
      const body = from ? diffView((await get(`${root}${at(to.revision)}/diff`, { against: from.revision })).unified || "No differences.") : sourceView((await get(`${root}${at(to.revision)}`)).text, []);
      if (mine === turn) put(side, head, h("div.body", { class: from ? null : "flush" }, body));
    } catch (error) {
      if (mine === turn) put(side, head, errorNote(error, () => compare(from, to)));
    }
  }
  async function whole({ revision }) {
    const { text } = await get(`${root}${at(revision)}`).catch((error) => ({ text: error.message }));
    openDialog({ title: `${pipeline} ${revision.slice(0, 8)}`, wide: true, body: sourceView(text, []) });
  }
  async function load() {
    try {
      const { items } = await get(root, { limit: 100 });
      if (!items.length) return put(list, h("li", null, empty("No revision yet", "Each text that passes its check becomes one; runs keep the one that they began with.")));
      put(list, items.map((one, i) => h("li", null, h("button.row-link.revision-row", { type: "button", "data-row": true, "data-revision": one.revision, "aria-pressed": "false", on: { click: () => compare(items[i + 1] ?? null, one) } },
        h("code", null, one.revision.slice(0, 12)), h("span", null, one.current ? h("span.tag", null, "current") : null), h("span.muted.small", null, one.runs === null || one.runs === undefined ? "" : plural(one.runs, "run")), h("span.num.small.muted", null, time(one.seen_at))))));
      compare(items[1] ?? null, items[0]);
    } catch (error) {
      put(list, h("li", null, errorNote(error, load)));
    }
  }
  load();
  return h("div.cols.revisions", null, side, h("section.card", null, h("header", null, h("h2", null, "Revisions"), h("span.faint.small", null, "newest first")), list));
}
