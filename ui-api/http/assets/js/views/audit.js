/** The audit log: who did what, in a chain of hashes that shows whether it was changed. */

import { at, get } from "../api.js";
import { h, put } from "../dom.js";
import { count, json, plural, shortId, time } from "../format.js";
import { icon } from "../icons.js";
import { empty, errorNote, note } from "../parts/notice.js";
import { pageHead } from "../parts/page.js";

const LIMIT = 100;

export default function audit() {
  const body = h("tbody");
  const none = h("div", { hidden: true }, empty("Nothing yet", "What people and tokens do here is written down: starts, cancels, answers, pauses, tokens."));
  const foot = h("div.list-foot", { hidden: true }, h("button.btn.small", { type: "button", on: { click: () => load() } }, "Show more"));
  const problem = h("div");
  const verdict = h("div", { "aria-live": "polite" });
  const verify = h("button.btn", { type: "button", "data-testid": "verify", on: { click: check } }, icon("approvals"), "Verify the chain");
  let before = 0;
  async function load() {
    try {
      const page = await get("/audit", { before, limit: LIMIT });
      body.append(...page.items.map(row));
      before = page.next;
      foot.hidden = before === null;
      none.hidden = body.childElementCount > 0;
      put(problem);
    } catch (error) {
      put(problem, errorNote(error, load));
    }
  }
  async function check() {
    verify.disabled = true;
    try {
      const { ok, entries, broken_at, why } = await get("/audit/verify");
      put(verdict, ok
        ? note({ state: "succeeded", title: `${plural(entries, "entry", "entries")}, unbroken` })
        : note({ state: "failed", title: `The chain is broken at entry ${count(broken_at)}`, text: why, help: "An entry was changed or taken away outside Millwork. Compare with a backup of the home folder." }));
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
        h("thead", null, h("tr", null, ["No.", "When", "Who", "Did", "To", "Detail", "Hash"].map((head) => h("th", { scope: "col" }, head)))), body)), none, foot)),
  };
}

function row(entry) {
  return h("tr", null, h("td.num", { "data-label": "No." }, count(entry.seq)), h("td.nowrap", { "data-label": "When" }, time(entry.at)), h("td.nowrap", { "data-label": "Who" }, entry.actor),
    h("td.nowrap", { "data-label": "Did" }, h("b", null, entry.action)), h("td.nowrap", { "data-label": "To" }, targetNode(entry.target ?? "")), h("td.muted.small", { "data-label": "Detail" }, detailNodes(entry.detail, entry.target ?? "")), h("td.nowrap", { "data-label": "Hash" }, h("code.faint", { title: entry.hash }, (entry.hash ?? "").slice(0, 10))));
}

/** A run is a link; all else is its name. */
function targetNode(target) {
  const [id, ...rest] = target.split("/");
  if (!id.startsWith("run_")) return h("code", { title: target }, shortId(target));
  return [h("a", { href: at("runs", id), title: id }, h("code", null, shortId(id))), rest.length ? h("code.faint", null, `/${rest.join("/")}`) : null];
}

/** One word for each field that says something; a run or digest that stands elsewhere is short. */
function detailNodes(detail, target) {
  if (!detail || typeof detail !== "object") return detail ? String(detail) : "";
  const pairs = Object.entries(detail).filter(([, value]) => value !== null && !target.split("/").includes(value) && json(value) !== "{}" && json(value) !== "[]");
  return pairs.map(([name, value], i) => [i ? " · " : "", h("span.faint", null, `${name} `), typeof value === "string" ? h("span", { title: value }, value.length > 40 ? shortId(value) : value) : JSON.stringify(value)]);
}
