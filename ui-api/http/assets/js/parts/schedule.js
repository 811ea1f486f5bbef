/** Rows of schedules, and the backfill of one. */

import { post, at, offers } from "../api.js";
import { h, keyed, put } from "../dom.js";
import { cronWords, dayAndTime, exactly, plural, time } from "../format.js";
import { icon } from "../icons.js";
import { may } from "../session.js";
import { stateMark } from "../states.js";
import { actionDialog } from "./dialog.js";
import { field } from "./fields.js";
import { attempt, toast } from "./notice.js";

const BACKFILL = "/pipelines/{name}/schedules/{index}/backfill";

/**
 * A table of schedules that is kept in place.
 * @param {{onChange: () => void, withPipeline?: boolean}} options
 */
export function scheduleTable({ onChange, withPipeline = true }) {
  const body = h("tbody");
  const heads = [withPipeline ? "Pipeline" : null, "When", "Next ticks", "Last", "If missed", "State", ""].filter((head) => head !== null);
  const node = h("div.table-wrap", null, h("table.table.fold", { "data-testid": "schedules" }, h("thead", null, h("tr", null, heads.map((head) => h("th", { scope: "col" }, head)))), body));
  return {
    node,
    /** @param {any[]} schedules */
    fill(schedules) {
      keyed(body, schedules, (s) => `${s.pipeline}/${s.index}`, () => h("tr"), (tr, schedule) => {
        const said = JSON.stringify(schedule);
        if (tr.said === said) return;
        tr.said = said;
        put(tr, cells(schedule, withPipeline, onChange, false));
        offers(BACKFILL).then((known) => known && tr.said === said && put(tr, cells(schedule, withPipeline, onChange, true)));
      });
    },
  };
}

function cells(schedule, withPipeline, onChange, backfills) {
  const next = schedule.next ?? [];
  const act = (name, done) => attempt(async () => { await post(`${path(schedule)}/${name}`); onChange(); }, done);
  const buttons = may("operator") ? [
    h("button.btn.small", { type: "button", "data-testid": "pause", on: { click: () => (schedule.paused ? act("resume", "The schedule goes on.") : act("pause", "The schedule is paused.")) } }, icon(schedule.paused ? "play" : "paused"), schedule.paused ? "Resume" : "Pause"),
    h("button.btn.small", { type: "button", "data-testid": "backfill", hidden: !backfills, on: { click: () => backfillDialog(schedule, onChange) } }, "Backfill…"),
  ] : [];
  return [
    withPipeline ? h("td.nowrap", null, h("a", { href: `${at("pipelines", schedule.pipeline)}?tab=schedules` }, schedule.pipeline)) : null,
    h("td", { "data-label": "When" }, whenNode(schedule)),
    h("td", { "data-label": "Next" }, schedule.paused ? h("span.faint", null, "none while paused") : next.length ? [time(next[0]), next.length > 1 ? h("div.small.faint", { title: next.map(exactly).join("\n") }, `then ${next.slice(1, 3).map((when) => dayAndTime(when)).join("; ")}`) : null] : h("span.faint", null, "none")),
    h("td.nowrap", { "data-label": "Last" }, schedule.last ? lastNode(schedule.last) : h("span.faint", null, "never")),
    h("td", { "data-label": "If missed" }, CATCHUP[schedule.catchup] ?? schedule.catchup, h("div.small.muted", null, OVERLAP[schedule.overlap] ?? schedule.overlap), schedule.finish_by ? h("div.small.muted", null, `done ${/:/.test(schedule.finish_by) ? "by" : "within"} ${schedule.finish_by}`) : null),
    h("td", null, schedule.paused ? [stateMark("paused"), schedule.paused_by ? h("div.small.faint", null, `by ${schedule.paused_by}`) : null] : stateMark("ready", { text: "On" })),
    h("td", null, h("div.actions.nowrap", null, buttons)),
  ];
}

const path = (schedule) => at("pipelines", schedule.pipeline, "schedules", schedule.index);

const CATCHUP = { none: "left out", latest: "the latest is run", all: "all are run" };
const OVERLAP = { skip: "skipped while one runs", queue: "waits while one runs", cancel: "cancels the one before", allow: "beside the one before" };

/** A cron line in words where that is easy, and the line itself. */
function whenNode({ cron, timezone }) {
  const words = cronWords(cron);
  return [words ? h("span", null, words) : h("code", null, cron), h("div.small.muted", null, words ? [h("code", null, cron), " · "] : null, timezone)];
}

/** The last time, and its run or why it has none. */
function lastNode({ at: when, run, why }) {
  return [run ? h("a", { href: at("runs", run) }, time(when)) : time(when), !run && why ? h("div.small.faint", null, why) : null];
}

/** Times of a range, tried first, then run. */
function backfillDialog(schedule, onDone) {
  const day = (off) => new Date(Date.now() + off * 86_400_000).toISOString().slice(0, 10);
  const from = h("input.input", { type: "date", value: day(-7), required: true });
  const to = h("input.input", { type: "date", value: day(0), required: true });
  const parallel = h("input.input", { type: "number", min: 1, max: 64, step: 1, value: "2" });
  const again = h("input", { type: "checkbox" });
  const result = h("div", { "aria-live": "polite", "data-testid": "backfill-times" }, h("p.muted.small", null, "First it is only worked out which times have no run yet."));
  const fields = [field({ label: "From", control: from }), field({ label: "Until, without that day", control: to })];
  // Times that have a run already get another under a name of its own, the same for the trial and the start.
  const name = `again_${Date.now()}`;
  let tried = "";
  const body = (dry) => ({ from: `${from.value}T00:00:00Z`, to: `${to.value}T00:00:00Z`, concurrency: Number(parallel.value) || 1, ...(again.checked ? { again: name } : {}), dry_run: dry });
  const dialog = actionDialog({
    title: `Backfill ${schedule.pipeline}`, action: "Show the times", testid: "backfill-dialog",
    body: [h("p.muted", null, h("code", null, schedule.cron), ` in ${schedule.timezone}. Days are counted in UTC.`), h("div.pair", null, fields.map((f) => f.node)),
      h("div.pair", null, field({ label: "At once", control: parallel, hint: "How many of these runs may be under way together." }).node),
      h("label.check", null, again, "Also times that have a run already"), result],
    run: async () => {
      const wrong = from.value && to.value && from.value < to.value ? null : "The range needs two days, the earlier first.";
      fields[1].problem(wrong);
      if (wrong) return false;
      const asked = JSON.stringify(body(true));
      if (tried === asked) {
        const { times } = await post(`${path(schedule)}/backfill`, body(false));
        toast(`The backfill of ${plural(times.length, "time")} has begun.`);
        onDone();
        return true;
      }
      const { times } = await post(`${path(schedule)}/backfill`, body(true));
      tried = times.length ? asked : "";
      put(result, times.length ? [h("b", null, `${plural(times.length, "time")} to run`), h("ol.json", null, times.slice(0, 100).map((t) => h("li", null, h("span", { title: t }, dayAndTime(t, schedule.timezone)))), times.length > 100 ? h("li", null, `and ${times.length - 100} more`) : null)] : h("p", null, "Every time of this range has a run already."));
      dialog.querySelector("button[type=submit]").textContent = times.length ? `Start ${plural(times.length, "run")}` : "Show the times";
      return false;
    },
  });
  // Another range has to be tried again before it is run.
  dialog.addEventListener("input", () => { tried = ""; dialog.querySelector("button[type=submit]").textContent = "Show the times"; });
}
