/** All runs, with filters that stand in the address. */

import { get } from "../api.js";
import { h, later, put } from "../dom.js";
import { Live } from "../live.js";
import { setQuery } from "../router.js";
import { word } from "../states.js";
import { searchField } from "../parts/fields.js";
import { empty } from "../parts/notice.js";
import { pageHead, pagedList } from "../parts/page.js";
import { fillRuns, runList } from "../parts/runlist.js";

const STATES = ["queued", "running", "waiting", "interrupted", "succeeded", "failed", "cancelled"];

export default function runs(place) {
  let query = place.query;
  const list = runList("Runs");
  const none = h("div", { hidden: true });
  const chosen = () => new Set((query.get("status") ?? "").split(",").filter(Boolean));
  const paged = pagedList({
    path: "/runs",
    query: () => ({ q: query.get("q"), pipeline: query.get("pipeline"), status: query.get("status"), since: query.get("since"), parent: query.get("parent"), top: query.get("children") ? null : "true" }),
    show(items) {
      fillRuns(list, items);
      none.hidden = items.length > 0;
      const filtered = query.get("q") || query.get("pipeline") || query.get("status");
      none.replaceChildren(filtered ? empty("No run is like that", "Take a filter away to see more.") : empty("No run yet", h("span", null, "Open a ", h("a", { href: "/pipelines" }, "pipeline"), " and press Start run.")));
    },
  });
  const text = () => query.get("q") ?? query.get("pipeline") ?? "";
  const setText = (q) => q !== text() && setQuery({ q: q || null, pipeline: null });
  const search = searchField({ label: "Only runs of the pipeline", value: text(), onInput: setText });
  const known = h("datalist", { id: "run-pipelines" });
  search.input.setAttribute("list", known.id);
  search.input.setAttribute("placeholder", "A part of a pipeline's name, or a run's id");
  get("/pipelines", { limit: 500 }).then(({ items }) => put(known, items.map((item) => h("option", { value: item.name }))), () => null);
  const buttons = new Map(STATES.map((state) => [state, h("button.btn.small", { type: "button", "data-testid": `filter-${state}`, on: { click: () => toggle(state) } }, word(state))]));
  const children = h("input", { type: "checkbox", on: { change: () => setQuery({ children: children.checked ? "1" : null }) } });
  function toggle(state) {
    const now = chosen();
    if (!now.delete(state)) now.add(state);
    setQuery({ status: [...now].join(",") || null });
  }
  function showFilters() {
    for (const [state, button] of buttons) button.setAttribute("aria-pressed", String(chosen().has(state)));
    children.checked = query.has("children");
  }
  showFilters();
  const reloadSoon = later(() => paged.reload(), 600);
  const live = new Live("/events", { on: (type) => (type === "run" || type === "gap") && reloadSoon(), onReturn: () => paged.reload() });
  return {
    title: "Runs",
    node: h("div.page", null, pageHead({ title: "Runs" }),
      h("div.bar", null, h("div.grow", null, search.node, known), h("div.bar", { role: "group", "aria-label": "Only runs that are" }, [...buttons.values()]), h("label.check.small", null, children, "With child runs")),
      h("section.card", null, list, none, paged.node)),
    ready: paged.restart(),
    update(now) { query = now.query; showFilters(); paged.restart(); },
    leave: () => live.close(),
  };
}
