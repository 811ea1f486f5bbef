/** A list of runs, kept in place while it changes. */

import { at } from "../api.js";
import { h, keyed, say, put } from "../dom.js";
import { duration, shortId, time } from "../format.js";
import { isOver, setState, stateMark } from "../states.js";

/** How long a run took, or has taken so far. @param {any} run @returns {string} */
export function tookOf(run) {
  if (run.took_s !== null && run.took_s !== undefined) return duration(run.took_s);
  if (isOver(run.status) || run.status === "queued" || run.status === "interrupted") return "";
  return duration((Date.now() - Date.parse(run.started_at ?? run.created_at)) / 1000);
}

/**
 * @param {any} run
 * @param {{hidePipeline?: boolean}} [options]
 */
function createRow(run, options) {
  const mark = stateMark(run.status);
  const took = h("span.took");
  const name = options?.hidePipeline ? h("span.name.mono", null, run.id) : h("span.name", null, run.pipeline);
  const row = h("li", null, h("a.row-link.run-row", { href: at("runs", run.id), "data-row": true, "data-testid": "run-row" },
    mark,
    h("span.who.clip", null, name, options?.hidePipeline ? null : h("span.id", null, " ", shortId(run.id))),
    took, h("span.when", null, time(run.created_at))));
  row.mark = mark;
  row.took = took;
  return row;
}

function updateRow(row, run) {
  setState(row.mark, run.status);
  say(row.took, tookOf(run));
}

/**
 * Fills a list with runs.
 * @param {Element} list an empty `ul`, or one filled by this before
 * @param {any[]} runs
 * @param {{hidePipeline?: boolean}} [options]
 */
export function fillRuns(list, runs, options) {
  keyed(list, runs, (run) => run.id, (run) => createRow(run, options), updateRow);
}

/** An empty list for runs. @param {string} label */
export const runList = (label) => h("ul.rows", { "aria-label": label });

/** A card with a heading, a list and what to say when it is empty. */
export function runCard(title, link, emptyNode) {
  const list = runList(title);
  const gone = h("div", { hidden: true }, emptyNode);
  const node = h("section.card", null, h("header", null, h("h2", null, title), link ? h("div.actions", null, link) : null), h("div.body.flush", null, list, gone));
  return {
    node,
    /** @param {any[]} runs @param {any} [options] */
    fill(runs, options) {
      fillRuns(list, runs, options);
      gone.hidden = runs.length > 0;
    },
    fail(error) {
      put(list, error);
    },
  };
}
