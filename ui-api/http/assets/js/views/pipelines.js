/** The list of pipelines. */

import { at } from "../api.js";
import { h, keyed, later, put } from "../dom.js";
import { plural, time, triggerText } from "../format.js";
import { Live } from "../live.js";
import { setQuery } from "../router.js";
import { session } from "../session.js";
import { stateMark } from "../states.js";
import { searchField } from "../parts/fields.js";
import { empty } from "../parts/notice.js";
import { pageHead, pagedList } from "../parts/page.js";

export default function pipelines(place) {
  let query = place.query;
  const list = h("ul.rows", { "aria-label": "Pipelines" });
  const none = h("div", { hidden: true });
  const paged = pagedList({
    path: "/pipelines", limit: 100, query: () => ({ q: query.get("q") }),
    show(items) {
      keyed(list, items, (p) => p.name, (p) => h("li", null, h("a.row-link.pipeline-row", { href: at("pipelines", p.name), "data-row": true, "data-testid": "pipeline-row" })), fillRow);
      none.hidden = items.length > 0;
      none.replaceChildren(query.get("q") ? empty("No pipeline is called so", "Names are searched, and descriptions.") : empty("No pipeline yet", h("span", null, "Put a YAML file into ", h("code", null, session()?.folder ?? "the folder that is served"), ", or let ", h("code", null, "millwork init"), " write a first one.")));
    },
  });
  const search = searchField({ label: "Find a pipeline", value: query.get("q") ?? "", onInput: (text) => setQuery({ q: text || null }) });
  const reloadSoon = later(() => paged.reload(), 800);
  const live = new Live("/events", { on: (type) => (type === "run" || type === "gap") && reloadSoon(), onReturn: () => paged.reload() });
  return {
    title: "Pipelines",
    node: h("div.page", null, pageHead({ title: "Pipelines" }), h("div.bar", null, h("div.grow", null, search.node)), h("section.card", null, list, none, paged.node)),
    ready: paged.restart(),
    update(now) { query = now.query; paged.restart(); },
    leave: () => live.close(),
  };
}

function fillRow(li, p) {
  const said = JSON.stringify(p);
  if (li.said === said) return;
  li.said = said;
  const mark = p.state === "broken" ? stateMark("broken", { text: plural(p.errors, "error") }) : p.warnings ? stateMark("warning", { text: plural(p.warnings, "warning") }) : null;
  // Every pipeline can be started by hand; that need not be said of each.
  const triggers = (p.triggers ?? []).filter((trigger) => trigger.kind !== "manual");
  put(li.firstElementChild,
    h("span", null, h("span.name-line", null, h("span.name", null, p.name), mark), h("div.about.clip", null, p.description ?? p.path)),
    h("span.triggers", null, triggers.length ? triggers.map((trigger) => h("span.tag", { title: trigger.text }, trigger.kind === "schedule" ? triggerText(trigger) : trigger.kind)) : h("span.faint.small", null, "by hand")),
    h("span.last", null, p.last_run ? [stateMark(p.last_run.status), h("span.small.faint", null, time(p.last_run.created_at))] : h("span.faint.small", null, "never run")),
    h("span.last.next", null, p.next_tick ? [h("span.cell-label", null, "next"), h("span.small", null, time(p.next_tick))] : null));
}
