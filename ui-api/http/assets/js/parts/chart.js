/** Small charts of numeric columns: enough to see a shape, no more. */

import { h, s } from "../dom.js";
import { count } from "../format.js";
import { isNumber } from "./table.js";

const WIDE = 320;
const TALL = 130;
const PAD = { left: 46, right: 8, top: 8, bottom: 20 };
const MOST = 4;
const BINS = 24;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/**
 * Charts for the first few numeric columns, over the first column that is not a number.
 * @param {{columns: {name: string, type: string}[], rows: any[][]}} page
 * @param {number|null} total rows of the whole table
 * @returns {HTMLElement}
 */
export function chartsFor({ columns, rows }, total) {
  const label = columns.findIndex((column) => !isNumber(column.type));
  const numbers = columns.map((column, i) => ({ ...column, i })).filter((column) => isNumber(column.type)).slice(0, MOST);
  const names = rows.map((row, i) => (label < 0 ? String(i + 1) : String(row[label] ?? "")));
  const part = total !== null && total > rows.length ? `first ${count(rows.length)} of ${count(total)} rows` : `${count(rows.length)} rows`;
  // Without a name for the rows, how the values are spread says more than their order.
  const spread = label < 0 && rows.length > 40;
  return h("div.charts", { "data-testid": "charts" }, numbers.map((column) => {
    const values = rows.map((row) => number(row[column.i]));
    const bins = spread ? histogram(values) : null;
    return h("figure", null,
      h("figcaption", null, column.name, h("span.faint.small", null, `${spread ? "how often" : label < 0 ? "by row" : `by ${columns[label].name}`}, ${part}`)),
      bins ? draw(bins.counts, bins.names, column.name) : draw(values, names, column.name));
  }));
}

/** How many values fall into each of equal bins; null where there is no range to divide. */
function histogram(values) {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const width = (Math.max(...known) - low) / BINS;
  if (!(width > 0)) return null;
  const counts = new Array(BINS).fill(0);
  for (const value of known) counts[Math.min(BINS - 1, Math.floor((value - low) / width))] += 1;
  return { counts, names: counts.map((_, i) => short.format(low + width * (i + (i === BINS - 1 ? 1 : 0)))) };
}

const number = (cell) => (cell === null || cell === undefined || cell === "" || !Number.isFinite(Number(cell)) ? null : Number(cell));

function draw(values, names, name) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return h("p.faint.small", null, "Only nulls.");
  const bars = values.length <= 40;
  let low = Math.min(...known);
  let high = Math.max(...known);
  if (bars || low > 0 && low < high * 0.3) low = Math.min(0, low);
  if (bars) high = Math.max(0, high);
  if (low === high) high = low + 1;
  const wide = WIDE - PAD.left - PAD.right;
  const tall = TALL - PAD.top - PAD.bottom;
  const y = (value) => PAD.top + tall - ((value - low) / (high - low)) * tall;
  const x = (i) => PAD.left + (values.length === 1 ? 0.5 : i / (values.length - 1)) * wide;
  const ticks = [low, (low + high) / 2, high];
  const label = `${name}: from ${short.format(Math.min(...known))} to ${short.format(Math.max(...known))}`;
  return s("svg.chart", { viewBox: `0 0 ${WIDE} ${TALL}`, role: "img", "aria-label": label },
    ticks.map((tick) => [
      s("line.grid-line", { x1: PAD.left, x2: WIDE - PAD.right, y1: y(tick), y2: y(tick) }),
      s("text.axis-text", { x: PAD.left - 6, y: y(tick) + 4, "text-anchor": "end" }, short.format(tick)),
    ]),
    bars ? barsOf(values, names, wide, y) : s("path.series", { d: lineOf(values, x, y) }),
    s("text.axis-text", { x: PAD.left, y: TALL - 4 }, clip(names[0])),
    values.length > 1 ? s("text.axis-text", { x: WIDE - PAD.right, y: TALL - 4, "text-anchor": "end" }, clip(names[names.length - 1])) : null);
}

function barsOf(values, names, wide, y) {
  const each = wide / values.length;
  return values.map((value, i) => {
    if (value === null) return null;
    const top = Math.min(y(value), y(0));
    return s("rect.barlet", { x: PAD.left + i * each + each * 0.12, y: top, width: Math.max(1, each * 0.76), height: Math.max(1, Math.abs(y(value) - y(0))) },
      s("title", null, `${names[i]}: ${value}`));
  });
}

/** A null leaves a gap in the line. */
function lineOf(values, x, y) {
  let pen = false;
  return values.map((value, i) => {
    if (value === null) { pen = false; return ""; }
    const step = `${pen ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = true;
    return step;
  }).join("");
}

const clip = (text) => (text.length > 18 ? `${text.slice(0, 17)}…` : text);
