/** What a step made: tables, files, reports and plain values. */

import { get, at, url } from "../api.js";
import { h } from "../dom.js";
import { bytes, count } from "../format.js";
import { icon } from "../icons.js";
import { jsonBlock, tableView } from "./table.js";

/**
 * Outputs of a step, one below another.
 * @param {string} run
 * @param {string} step
 * @param {any[]} outputs
 * @param {{charts?: boolean}} [options]
 * @returns {HTMLElement[]}
 */
export function outputNodes(run, step, outputs, options = {}) {
  return shownFirst(outputs).map((output) => h("section", { "data-testid": `output-${output.name}` },
    h("h3", null, output.name, " ", h("code.faint", null, short(output.type))),
    body(run, step, output, options)));
}

/** Every fan-out has a table of the items that failed: behind the rest, and only if there are some. */
function shownFirst(outputs) {
  const failed = outputs.filter((output) => output.name === FAILED && output.table?.rows !== 0);
  return [...outputs.filter((output) => output.name !== FAILED), ...failed];
}

function body(run, step, output, options) {
  if (output.preview_of) return h("div.stack", null, jsonBlock(output.value), h("p.small.muted", null, "Only the beginning: the value is too long to show."));
  if (output.table) return tableView({ run, step, output: output.name, rows: output.table?.rows ?? null, charts: (options.charts ?? true) && output.name !== FAILED });
  if (output.file) return fileNode(output.file, output.value?.path);
  if (output.value === null || output.value === undefined) return h("p.faint.small", null, "null");
  return jsonBlock(output.value);
}

const FAILED = "failed_items";

/** A table's type lists its columns, which the preview shows better. */
const short = (type) => (type?.startsWith("table<") ? "table" : type ?? "");

/** Whether a file is a page that can be shown. @param {any} file */
const isReport = (file) => /\.html?$/i.test(file?.name ?? "");

/**
 * A file with a link to it; an HTML report is shown, in a frame that can do nothing.
 * @param {{artifact: string|null, bytes: number|null, name: string|null, url: string}} file
 * @param {string} [path] where it lies
 */
function fileNode(file, path) {
  const name = file.name ?? file.artifact;
  if (!file.url) return h("div.file-away", null, icon("audit"), h("code", null, path ?? name));
  const base = file.url.replace(/^\/api\/v1/, "");
  const link = h("a.btn.small", { href: url(base, { name }), download: name }, icon("download"), name, h("span.faint", null, bytes(file.bytes)));
  if (!isReport(file)) return link;
  const page = url(base, { name, view: 1 });
  return h("div.stack", null,
    h("iframe.report", { src: page, sandbox: "", title: `Report ${name}`, loading: "lazy", referrerpolicy: "no-referrer", "data-testid": "report" }),
    h("div.bar", null, link, h("a.btn.small", { href: page, target: "_blank", rel: "noopener noreferrer" }, icon("more"), "Open alone")));
}

/**
 * The tab of a whole run: what went in, what came out, the reports it wrote and its tables.
 * @param {any} detail a RunDetail with its plan
 * @param {any[]} steps its steps
 * @returns {HTMLElement}
 */
export function runOutputs(detail, steps) {
  const reports = h("div.stack");
  loadReports(detail, steps, reports);
  const inputs = Object.entries(detail.inputs ?? {});
  const outputs = Object.entries(detail.outputs ?? {});
  return h("div.stack", { "data-testid": "outputs" },
    h("div.cols", null,
      card("Outputs", outputs, detail.status === "succeeded" ? "This pipeline declares no outputs. Those of its steps are in their panels: choose a step." : "Outputs are there when the run has succeeded."),
      card("Inputs", inputs, "The run was started without inputs.")),
    reports);
}

function card(title, pairs, none) {
  return h("section.card", null, h("header", null, h("h2", null, title)),
    pairs.length ? h("div.body.stack", null, pairs.map(([name, value]) => h("section.stack.tight", null, h("h3", null, name), jsonBlock(value)))) : h("div.empty", null, none));
}

/** Reports are files of steps; only steps that have files are asked, and not more than a few. */
async function loadReports(detail, steps, box) {
  const done = new Set(steps.filter((step) => step.status === "succeeded").map((step) => step.id));
  const nodes = detail.plan.nodes.filter((node) => done.has(node.id));
  const withFiles = nodes.filter((node) => node.kind === "report" || (node.outputs ?? []).some((output) => /^file/.test(output.type))).slice(0, 12);
  // What a check found wrong is told by the check; a table of it is no result.
  const tables = nodes.filter((node) => node.kind !== "table.check" && !node.for_each && (node.outputs ?? []).some((output) => /^table/.test(output.type))).slice(-4);
  for (const node of withFiles) {
    const step = await get(at("runs", detail.id, "steps", node.id)).catch(() => null);
    const files = (step?.outputs ?? []).filter((output) => output.file);
    if (files.length) box.append(stepCard(node.id, files.map((output) => fileNode(output.file, output.value?.path))));
  }
  for (const node of tables) {
    const step = await get(at("runs", detail.id, "steps", node.id)).catch(() => null);
    for (const output of (step?.outputs ?? []).filter((o) => o.table && o.name !== FAILED)) {
      box.append(stepCard(`${node.id}.${output.name}`, tableView({ run: detail.id, step: node.id, output: output.name, rows: output.table.rows, limit: 10, charts: true }), `${count(output.table.rows)} rows`));
    }
  }
}

const stepCard = (title, body, side) => h("section.card", null, h("header", null, h("h2", null, title), side ? h("span.faint.small", null, side) : null), h("div.body.stack", null, body));
