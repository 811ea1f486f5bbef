/** A pipeline's text with line numbers, and what is wrong with it at the lines where it is. */

import { h, quoted } from "../dom.js";
import { icon } from "../icons.js";
import { shape } from "../states.js";

/** The browser skips blocks that are out of view, so a long text stays quick. */
const BLOCK = 200;
const LINE_PX = 20;

/**
 * @param {string} text
 * @param {any[]} diagnostics
 * @returns {HTMLElement}
 */
export function sourceView(text, diagnostics) {
  const byLine = new Map();
  for (const one of diagnostics) byLine.set(one.line, [...(byLine.get(one.line) ?? []), one]);
  const lines = text.replace(/\n$/, "").split("\n");
  const blocks = [];
  for (let from = 0; from < lines.length; from += BLOCK) {
    const part = lines.slice(from, from + BLOCK);
    const block = h("div.source-block", null, part.map((line, i) => lineNodes(line, from + i + 1, byLine.get(from + i + 1) ?? [])));
    block.style.containIntrinsicSize = `auto ${part.length * LINE_PX}px`;
    blocks.push(block);
  }
  return h("div.source", { tabindex: 0, role: "region", "aria-label": "Source", "data-testid": "source" }, blocks);
}

/** Brings a line into view. @param {HTMLElement} view @param {number} line */
export function showLine(view, line) {
  view.querySelector(`[data-line="${line}"]`)?.scrollIntoView({ block: "center" });
}

function lineNodes(line, no, problems) {
  const state = problems.length ? (problems.some((p) => p.severity === "error") ? "error" : "warning") : null;
  return [
    h("div.src", { "data-line": no, data: state ? { state } : {} }, h("span.no", null, String(no)), h("span", null, problems.length ? underlined(line, problems[0]) : coloured(line))),
    problems.map((p) => h("div.diag", { data: { state: p.severity }, "data-testid": "diagnostic" }, icon(shape(p.severity)),
      h("div", null, h("div", null, h("b", null, `${p.severity === "error" ? "Error" : "Warning"} ${p.code}`), " ", quoted(p.message)), p.suggestion ? h("div.help", null, "Did you mean ", h("code.quoted", null, p.suggestion.replacement), "?") : null, p.help ? h("div.help", null, quoted(p.help)) : null))),
  ];
}

/** Columns count characters from 1; an end on another line reaches to the end of this one. */
function underlined(line, { line: at, column, end_line, end_column }) {
  const letters = [...line];
  const from = Math.max(0, (column ?? 1) - 1);
  const to = end_line === at && end_column > column ? end_column - 1 : letters.length;
  if (from >= letters.length) return coloured(line);
  return [letters.slice(0, from).join(""), h("u", null, letters.slice(from, to).join("")), letters.slice(to).join("")];
}

const TOKEN = /(\$\{\{.*?\}\})|((?:^|\s)#.*$)|("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|([A-Za-z_][\w-]*)(?=:(?:\s|$))/g;
const CLASSES = ["x", "c", "s", "k"];

/** Enough of YAML to read it by: keys, texts, comments and expressions. */
function coloured(line) {
  const out = [];
  let from = 0;
  for (const match of line.matchAll(TOKEN)) {
    const kind = CLASSES[match.slice(1).findIndex((group) => group !== undefined)];
    out.push(line.slice(from, match.index), h(`span.${kind}`, null, match[0]));
    from = match.index + match[0].length;
  }
  out.push(line.slice(from));
  return out;
}

/** A unified diff. @param {string} unified @returns {HTMLElement} */
export function diffView(unified) {
  const kind = (line) => (line.startsWith("@@") ? "hunk" : line.startsWith("+++") || line.startsWith("---") ? "hunk" : line[0] === "+" ? "add" : line[0] === "-" ? "del" : null);
  return h("div.diff", { tabindex: 0, role: "region", "aria-label": "Differences", "data-testid": "diff" },
    unified.replace(/\n$/, "").split("\n").map((line) => h("div", { class: kind(line) }, line || " ")));
}
