/** The schedules of one pipeline, each with its calendar. */

import { get, at } from "../api.js";
import { h, keyed } from "../dom.js";
import { cronWords } from "../format.js";
import { calendar } from "./calendar.js";
import { empty, errorNote } from "./notice.js";
import { scheduleTable } from "./schedule.js";

/** @param {string} pipeline @returns {HTMLElement} */
export function schedulesTab(pipeline) {
  const table = scheduleTable({ onChange: () => load(), withPipeline: false });
  const calendars = h("div.stack");
  const problem = h("div");
  const card = h("section.card", null, table.node);
  async function load() {
    try {
      const { items } = await get(`${at("pipelines", pipeline)}/schedules`, { limit: 100 });
      if (!items.length) return card.replaceChildren(empty("This pipeline has no schedule", h("span", null, "Write ", h("code", null, 'on: {schedule: [{cron: "0 2 * * *"}]}'), " into its text, or start it by hand.")));
      table.fill(items);
      // A calendar stays as it was turned when its schedule is paused or resumed.
      keyed(calendars, items, (s) => `${s.index}/${s.cron}/${s.timezone}`, (s) => h("section.card", null, h("header", null, h("h2", null, cronWords(s.cron) ?? h("code", null, s.cron)), h("span.muted.small", null, s.timezone)), h("div.body", null, calendar(s))));
      problem.replaceChildren();
    } catch (error) {
      problem.replaceChildren(errorNote(error, load));
    }
  }
  load();
  return h("div.stack", null, problem, card, calendars);
}
