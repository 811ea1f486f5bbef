/** All schedules, and the backfills under way. */

import { get, at, offers, remove } from "../api.js";
import { h, keyed, put } from "../dom.js";
import { count, time } from "../format.js";
import { may } from "../session.js";
import { stateMark } from "../states.js";
import { attempt, empty } from "../parts/notice.js";
import { pageHead, pagedList } from "../parts/page.js";
import { scheduleTable } from "../parts/schedule.js";

/** There are no events about schedules; ticks are minutes apart. */
const RENEW_MS = 10_000;

export default function schedules() {
  const none = h("div", { hidden: true }, empty("No schedule yet", h("span", null, "Write ", h("code", null, 'on: {schedule: [{cron: "0 2 * * *", timezone: Europe/Berlin}]}'), " into a pipeline.")));
  const reload = () => { paged.reload(); loadBackfills(backfills); };
  const backfills = h("section.card", { hidden: true, "data-testid": "backfills" });
  const table = scheduleTable({ onChange: reload });
  const paged = pagedList({ path: "/schedules", query: () => ({}), limit: 100, show(items) { table.fill(items); none.hidden = items.length > 0; table.node.hidden = items.length === 0; } });
  const timer = setInterval(() => !document.hidden && reload(), RENEW_MS);
  loadBackfills(backfills);
  return {
    title: "Schedules",
    node: h("div.page", null, pageHead({ title: "Schedules" }), h("section.card", null, table.node, none, paged.node), backfills),
    ready: paged.restart(),
    leave: () => clearInterval(timer),
  };
}

async function loadBackfills(card) {
  if (!(await offers("/backfills"))) return;
  const { items } = await get("/backfills").catch(() => ({ items: [] }));
  card.hidden = items.length === 0;
  if (!card.firstChild) put(card, h("header", null, h("h2", null, "Backfills")), h("ul.rows"));
  keyed(card.lastElementChild, items, (one) => one.id, () => h("li", null, h("div.row-link.backfill-row")), (li, one) => {
    const said = JSON.stringify(one);
    if (li.said === said) return;
    li.said = said;
    const meter = h("div.meter", null, h("i", { data: { state: "succeeded" }, vars: { "--part": (one.total ? one.done / one.total : 0) } }), h("i", { data: { state: "failed" }, vars: { "--part": (one.total ? one.failed / one.total : 0) } }));
    put(li.firstChild, stateMark(one.state === "done" && one.failed ? "failed" : one.state), h("span", null, h("a", { href: at("pipelines", one.pipeline) }, one.pipeline), h("div.small.faint", null, time(one.from), " to ", time(one.to), one.by ? ` · by ${one.by}` : null)),
      h("div", null, meter, h("div.small.muted", null, `${count(one.done + one.failed)} of ${count(one.total)} done${one.failed ? `, ${count(one.failed)} failed` : ""}`), one.fault ? h("div.small.muted", null, one.fault) : null),
      one.state === "running" && may("operator") ? h("button.btn.small.danger", { type: "button", on: { click: () => attempt(async () => { await remove(at("backfills", one.id)); await loadBackfills(card); }, "The backfill is cancelled.") } }, "Cancel") : h("span"));
  });
}
