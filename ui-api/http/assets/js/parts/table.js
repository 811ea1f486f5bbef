/** A look into a table: a page of rows at a time. */

import { get, at } from "../api.js";
import { h, put } from "../dom.js";
import { count, json } from "../format.js";
import { icon } from "../icons.js";
import { chartsFor } from "./chart.js";
import { openDialog } from "./dialog.js";
import { errorNote, empty } from "./notice.js";

const NUMBER = /^(u?int|float|double|decimal|i\d|u\d|f\d|bigint|number)/i;

/** Whether a column's type is a number. @param {string} type */
export const isNumber = (type) => NUMBER.test(type ?? "");

/**
 * @param {{run: string, step: string, output: string, rows?: number|null, limit?: number, charts?: boolean, large?: boolean}} options
 * @returns {HTMLElement}
 */
export function tableView({ run, step, output, rows, limit = 20, charts = false, large = true }) {
  const body = h("div", { "aria-busy": "true" });
  const where = h("span", { "aria-live": "polite" });
  const back = h("button.btn.small.icon-only", { type: "button", "aria-label": "Rows before", on: { click: () => load(offset - limit) } }, icon("left"));
  const next = h("button.btn.small.icon-only", { type: "button", "aria-label": "Rows after", on: { click: () => load(offset + limit) } }, icon("right"));
  const wide = h("button.btn.small", { type: "button", "data-testid": "table-large", on: { click: () => largeTable({ run, step, output, rows }) } }, icon("more"), "Open");
  const chartBox = h("div");
  let offset = 0;
  async function load(from) {
    offset = Math.max(0, from);
    back.disabled = next.disabled = true;
    try {
      const page = await get(`${at("runs", run, "steps", step, "table", output)}`, { offset, limit });
      const total = page.total ?? rows ?? null;
      put(body, page.rows.length || offset ? grid(page) : empty("The table has no rows", columnsText(page.columns)));
      where.textContent = page.rows.length ? `${count(offset + 1)}–${count(offset + page.rows.length)}${total === null ? "" : ` of ${count(total)}`}` : "No rows";
      back.disabled = offset === 0;
      next.disabled = total === null ? page.rows.length < limit : offset + page.rows.length >= total;
      if (charts && from === 0) loadCharts(page, total);
    } catch (error) {
      put(body, errorNote(error, () => load(from)));
    } finally {
      body.removeAttribute("aria-busy");
    }
  }
  /** The charts want more rows than a page has. */
  async function loadCharts(page, total) {
    if (!page.columns.some((column) => isNumber(column.type)) || page.rows.length < 2) return;
    const more = total !== null && total <= page.rows.length ? page : await get(at("runs", run, "steps", step, "table", output), { offset: 0, limit: 500 }).catch(() => page);
    put(chartBox, chartsFor(more, total));
  }
  load(0);
  return h("div.stack", { "data-testid": `table-${output}` }, body, h("div.pager", null, back, next, where, large ? wide : null), chartBox);
}

/** The same table with more room, and its charts. @param {{run: string, step: string, output: string, rows?: number|null}} options */
function largeTable({ run, step, output, rows }) {
  openDialog({ title: `${step}.${output}`, wide: true, testid: "table-dialog", body: tableView({ run, step, output, rows, limit: 100, charts: true, large: false }) });
}

const columnsText = (columns) => columns.map((column) => column.name).join(", ");

function grid({ columns, rows }) {
  const numeric = columns.map((column) => isNumber(column.type));
  return h("div.grid-wrap", { tabindex: 0, role: "region", "aria-label": "Rows" }, h("table.grid", null,
    h("thead", null, h("tr", null, columns.map((column, i) => h("th", { scope: "col", class: numeric[i] ? "num" : null }, column.name, h("span.type", null, column.type))))),
    h("tbody", null, rows.map((row) => h("tr", null, row.map((cell, i) => cellOf(cell, numeric[i])))))));
}

function cellOf(cell, numeric) {
  if (cell === null || cell === undefined) return h("td.null", { class: numeric ? "num" : null }, "null");
  const text = typeof cell === "object" ? JSON.stringify(cell) : String(cell);
  return h("td", { class: numeric ? "num" : null, title: text.length > 40 ? text : null }, numeric ? shorten(cell) : text);
}

/** Numbers keep their digits up to six places; the rest is noise in a preview. */
function shorten(cell) {
  return typeof cell === "number" && !Number.isInteger(cell) ? String(Number(cell.toFixed(6))) : String(cell);
}

/** A value that is no table. @param {any} value */
export const jsonBlock = (value) => h("pre.json", { tabindex: 0 }, json(value));
