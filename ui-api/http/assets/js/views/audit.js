/** The audit log: who did what, in a chain of hashes that shows whether it was changed. */

import { get } from "../api.js";
import { h, put } from "../dom.js";
import { count, json, time } from "../format.js";
import { icon } from "../icons.js";
import { empty, errorNote, note } from "../parts/notice.js";
import { pageHead } from "../parts/page.js";

const LIMIT = 100;

export default function audit() {
  const body = h("tbody");
  const none = h("div", { hidden: true }, empty("Nothing yet", "What people and tokens do here is written down: starts, cancels, answers, pauses, tokens."));
  const more = h("button.btn.small", { type: "button", hidden: true, on: { click: () => load() } }, "Show more");
  const problem = h("div");
  const verdict = h("div", { "aria-live": "polite" });
  const verify = h("button.btn", { type: "button", "data-testid": "verify", on: { click: check } }, icon("approvals"), "Verify the chain");
  let after = null;
  async function load() {
    try {
      const page = await get("/audit", { after, limit: LIMIT });
      body.append(...page.items.map(row));
      after = page.next ?? null;
      more.hidden = after === null;
      none.hidden = body.childElementCount > 0;
      put(problem);
    } catch (error) {
      put(problem, errorNote(error, load));
    }
  }
  async function check() {
    verify.disabled = true;
    try {
      const { ok, entries, broken_at } = await get("/audit/verify");
      put(verdict, ok
        ? note({ state: "succeeded", title: `${count(entries)} entries, unbroken` })
        : note({ state: "failed", title: `The chain is broken at entry ${count(broken_at)}`, help: "An entry was changed or taken away outside Millwork. Compare with a backup of the home folder." }));
    } catch (error) {
      put(verdict, errorNote(error));
    } finally {
      verify.disabled = false;
    }
  }
  return {
    title: "Audit", ready: load(),
    node: h("div.page", null, pageHead({ title: "Audit", actions: [verify] }), verdict, problem,
      h("section.card", null, h("div.table-wrap", null, h("table.table.fold", { "data-testid": "audit" },
        h("thead", null, h("tr", null, ["No.", "When", "Who", "Did", "To", "Detail", "Hash"].map((head) => h("th", { scope: "col" }, head)))), body)), none, h("div.list-foot", null, more))),
  };
}

function row(entry) {
  const detail = typeof entry.detail === "string" ? entry.detail : entry.detail ? json(entry.detail) : "";
  return h("tr", null, h("td.num", { "data-label": "No." }, count(entry.seq)), h("td.nowrap", { "data-label": "When" }, time(entry.at)), h("td", { "data-label": "Who" }, entry.actor),
    h("td", { "data-label": "Did" }, h("b", null, entry.action)), h("td", { "data-label": "To" }, h("code", null, entry.target ?? "")), h("td.muted.small", { "data-label": "Detail" }, detail), h("td", { "data-label": "Hash" }, h("code.faint", { title: entry.hash }, (entry.hash ?? "").slice(0, 10))));
}
