/** The calendar of a schedule: a month of ticks, with the days marked on which clocks change. */

import { get, at } from "../api.js";
import { h, put } from "../dom.js";
import { count } from "../format.js";
import { icon } from "../icons.js";
import { errorNote } from "./notice.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MOST = 500;
const month = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });
const ODD = {
  gap: ["clocks skip", "This time does not exist on the wall that day: clocks go forward past it."],
  overlap: ["clocks repeat", "This time comes twice on the wall that day: clocks go back over it."],
};

/**
 * @param {{pipeline: string, index: number, timezone: string}} schedule
 * @returns {HTMLElement}
 */
export function calendar(schedule) {
  const today = new Date();
  let shown = new Date(Date.UTC(today.getFullYear(), today.getMonth(), 1));
  const title = h("h3", { "aria-live": "polite" });
  const grid = h("div.calendar", { "data-testid": "calendar" });
  const under = h("p.small.muted");
  const move = (by, label, name) => h("button.btn.small.icon-only", { type: "button", "aria-label": label, on: { click: () => { shown = new Date(Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + by, 1)); load(); } } }, icon(name));
  async function load() {
    title.textContent = month.format(shown);
    const from = shown;
    const to = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1));
    // A day more at both ends: the month is that of the schedule's zone.
    const wide = { from: iso(from, -1), to: iso(to, 1), limit: MOST };
    try {
      const { items, next } = await get(at("pipelines", schedule.pipeline, "schedules", schedule.index, "ticks"), wide);
      put(grid, days(from, items));
      put(under, next || items.length >= MOST ? `More than ${count(MOST)} ticks: the calendar ends where the list ends. ` : "", `Times on the clocks of ${schedule.timezone}.`);
    } catch (error) {
      put(grid);
      put(under, errorNote(error, load));
    }
  }
  load();
  return h("div.stack", null, h("div.bar", null, title, h("div.actions.spread", null, move(-1, "Month before", "left"), move(1, "Month after", "right"))), grid, under);
}

const iso = (date, byDays) => new Date(date.getTime() + byDays * 86_400_000).toISOString();

function days(first, ticks) {
  const byDay = new Map();
  for (const tick of ticks) {
    const day = (tick.local ?? tick.at).slice(0, 10);
    byDay.set(day, [...(byDay.get(day) ?? []), tick]);
  }
  const blanks = (first.getUTCDay() + 6) % 7;
  const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  const now = localDay(new Date());
  const cells = DAYS.map((name) => h("div.dow", { "aria-hidden": "true" }, name));
  for (let i = 0; i < blanks; i++) cells.push(h("div.blank"));
  for (let no = 1; no <= length; no++) {
    const day = `${first.toISOString().slice(0, 8)}${String(no).padStart(2, "0")}`;
    cells.push(cell(no, day, byDay.get(day) ?? [], now));
  }
  return cells;
}

const localDay = (date) => `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

function cell(no, day, ticks, now) {
  const odd = ticks.find((tick) => tick.odd)?.odd ?? null;
  const times = ticks.map((tick) => (tick.local ?? tick.at).slice(11, 16));
  const text = times.length <= 3 ? times.map((time) => h("span", null, time)) : [h("span", null, `${times.length} ticks`), h("span.faint", null, `${times[0]}–${times[times.length - 1]}`)];
  return h("div", {
    class: [day === now ? "today" : day < now ? "past" : "", ticks.length ? "has-ticks" : ""].join(" "),
    data: odd ? { state: "warning" } : {}, title: odd ? ODD[odd][1] : null, "aria-label": `${day}: ${ticks.length} ticks${odd ? `, ${ODD[odd][0]}` : ""}`,
  }, h("span.day-no", null, String(no)), h("div.ticks", null, text), odd ? h("span.odd", null, icon("warning"), ODD[odd][0]) : null);
}
