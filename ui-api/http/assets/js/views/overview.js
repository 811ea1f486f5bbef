/** The overview: what runs, what failed, what waits, what comes next. */

import { get, at } from "../api.js";
import { h, keyed, later, say } from "../dom.js";
import { count, hourMinute, time } from "../format.js";
import { Live } from "../live.js";
import { icon } from "../icons.js";
import { stateMark } from "../states.js";
import { empty, errorNote, note } from "../parts/notice.js";
import { pageHead } from "../parts/page.js";
import { runCard } from "../parts/runlist.js";

/** Counts change with every run; reading them more often than this helps nobody. */
const RENEW_MS = 700;

export default function overview() {
  const problem = h("div", { hidden: true });
  const broken = h("div.stack");
  const late = h("div.stack");
  const tiles = makeTiles();
  const active = runCard("Under way", h("a.small", { href: "/runs?status=running,queued,waiting" }, "All"), empty("Nothing runs", "Start a pipeline from its page, or wait for its schedule. ", h("a", { href: "/pipelines" }, "Pipelines")));
  const failed = runCard("Failed or interrupted", h("a.small", { href: "/runs?status=failed,interrupted" }, "All"), empty("Nothing failed", "Failed runs of the last days are listed here, and runs whose process ended before them."));
  const recent = runCard("Ended lately", h("a.small", { href: "/runs" }, "All runs"), empty("No run yet", h("span", null, "Open a ", h("a", { href: "/pipelines" }, "pipeline"), " and press Start run, or on the command line: ", h("code", null, "millwork run pipeline.yaml"))));
  const next = nextCard();
  const node = h("div.page", { "data-testid": "overview" }, pageHead({ title: "Overview" }), problem, broken, late, tiles.node,
    h("div.cols", null, h("div.stack", null, active.node, recent.node), h("div.stack", null, failed.node, next.node)));

  async function load() {
    try {
      const data = await get("/overview");
      problem.hidden = true;
      tiles.fill(data);
      const recentRuns = data.recent ?? [];
      const seen = new Set();
      const activeRuns = [...(data.waiting_runs ?? []), ...recentRuns.filter((run) => run.status === "running" || run.status === "queued")].filter((run) => !seen.has(run.id) && seen.add(run.id));
      active.fill(activeRuns);
      const failedRuns = data.failed ?? [];
      failed.fill(failedRuns);
      for (const run of failedRuns) if (run.status === "interrupted") seen.add(run.id);
      recent.fill(recentRuns.filter((run) => !seen.has(run.id)));
      next.fill(data.next ?? []);
      fillBroken(broken, data.broken ?? []);
      fillLate(late, data.late ?? []);
    } catch (error) {
      problem.hidden = false;
      problem.replaceChildren(errorNote(error, load));
    }
  }
  const loadSoon = later(load, RENEW_MS);
  const live = new Live("/events", { on: (type) => (type === "run" || type === "gap") && loadSoon(), onReturn: load });
  // How long a run has taken so far goes on without events.
  const clock = setInterval(loadSoon, 15_000);
  return { node, title: "Overview", ready: load(), leave: () => { live.close(); clearInterval(clock); } };
}

function makeTiles() {
  const all = [
    ["running", "running", "Running", "/runs?status=running"],
    ["queued", "queued", "Queued", "/runs?status=queued"],
    ["approvals", "waiting", "Approvals waiting", "/approvals"],
    ["failed_24h", "failed", "Failed, 24 h", "/runs?status=failed"],
    ["succeeded_24h", "succeeded", "Succeeded, 24 h", "/runs?status=succeeded"],
  ].map(([key, state, text, href]) => {
    const number = h("b", null, "–");
    return { key, number, node: h("a.tile", { href, "data-testid": `tile-${key}` }, number, stateMark(state, { text })) };
  });
  return {
    node: h("div.tiles", null, all.map((tile) => tile.node)),
    fill(data) {
      for (const tile of all) {
        say(tile.number, count(data[tile.key] ?? 0));
        tile.node.dataset.zero = String(!data[tile.key]);
      }
    },
  };
}

function fillBroken(box, names) {
  keyed(box, names.length ? [names] : [], (list) => list.join(), (list) => note({
    state: "broken", testid: "broken", title: list.length === 1 ? "One pipeline does not pass its check" : `${list.length} pipelines do not pass their check`,
    text: list.map((name, i) => [i ? ", " : "", h("a", { href: `${at("pipelines", name)}?tab=source` }, name)]),
    help: "The page of each shows what is wrong, at its line.",
  }));
}

/** Runs that had not succeeded by the time that their schedules name. */
function fillLate(box, all) {
  keyed(box, all.length ? [all] : [], (list) => list.map((late) => `${late.pipeline} ${late.at} ${late.run} ${late.status}`).join(), (list) => note({
    state: "warning", testid: "late", title: list.length === 1 ? "One run is late" : `${list.length} runs are late`,
    text: list.map((late, i) => [i ? h("br") : "", h("a", { href: late.run ? at("runs", late.run) : at("pipelines", late.pipeline) }, late.pipeline), " of ", time(late.at),
      ` ${late.status ? `is ${late.status}` : "did not start"}, and should have succeeded by `, time(late.by)]),
  }));
}

function nextCard() {
  const list = h("ul.rows", { "aria-label": "Next ticks" });
  const none = h("div", { hidden: true }, empty("No tick is near", h("span", null, "A pipeline runs by itself with ", h("code", null, "on: {schedule: …}"), " in its text.")));
  return {
    node: h("section.card", null, h("header", null, h("h2", null, "Next"), h("div.actions", null, h("a.small", { href: "/schedules" }, "Schedules"))), h("div.body.flush", null, list, none)),
    fill(ticks) {
      none.hidden = ticks.length > 0;
      keyed(list, ticks, (tick) => `${tick.pipeline}/${tick.index}/${tick.at}`, (tick) => h("li", null,
        h("a.row-link.next-row", { href: `${at("pipelines", tick.pipeline)}?tab=schedules`, "data-row": true }, icon("schedules"), h("b.clip", null, tick.pipeline), h("span.num.muted.small", null, hourMinute(tick.at)), h("span.num.small.muted", null, time(tick.at)))));
    },
  };
}
