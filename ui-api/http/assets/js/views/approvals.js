/** The inbox: every question that waits for a person. */

import { at } from "../api.js";
import { h, keyed, later } from "../dom.js";
import { shortId, time } from "../format.js";
import { Live } from "../live.js";
import { approvalForm } from "../parts/approval.js";
import { empty } from "../parts/notice.js";
import { pageHead, pagedList } from "../parts/page.js";

export default function approvals() {
  const list = h("div.stack", { "data-testid": "approvals" });
  const none = h("section.card", { hidden: true }, empty("Nothing waits for an answer", h("span", null, "A pipeline asks with a step ", h("code", null, "uses: approval"), "; its question appears here and the run waits.")));
  const paged = pagedList({
    path: "/approvals", query: () => ({}), limit: 100,
    show(items) {
      // Keyed by what is shown too: a question that changed is another question, an unchanged one keeps what was typed.
      keyed(list, items, (item) => `${item.run}/${item.step}/${item.shown}`, card);
      none.hidden = items.length > 0;
    },
  });
  const card = (item) => h("section.card", null,
    h("header", null, h("h2", null, h("a", { href: `${at("runs", item.run)}?step=${encodeURIComponent(item.step)}` }, item.pipeline)), h("code.faint", null, item.step), h("span.faint.small", null, shortId(item.run)), h("span.spread.muted.small", null, "asked ", time(item.asked_at))),
    h("div.body", null, approvalForm(item.run, item.step, item, () => setTimeout(() => paged.reload(), 900))));
  const reloadSoon = later(() => paged.reload(), 600);
  const live = new Live("/events", { on: (type) => type !== "log" && reloadSoon(), onReturn: () => paged.reload() });
  return { title: "Approvals", node: h("div.page", null, pageHead({ title: "Approvals" }), none, list, paged.node), ready: paged.restart(), leave: () => live.close() };
}
