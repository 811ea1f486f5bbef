/** Tokens: who may do what from elsewhere. */

import { at, post, remove } from "../api.js";
import { h, put } from "../dom.js";
import { count, time } from "../format.js";
import { icon } from "../icons.js";
import { actionDialog, openDialog } from "../parts/dialog.js";
import { field } from "../parts/fields.js";
import { empty, note, toast } from "../parts/notice.js";
import { pageHead, pagedList } from "../parts/page.js";

const DAY = 86_400;
const LIVES = [["30 days", 30 * DAY], ["7 days", 7 * DAY], ["90 days", 90 * DAY], ["1 year", 365 * DAY], ["Does not run out", null]];
const ROLES = [["viewer", "viewer: sees everything it may see"], ["operator", "operator: also starts, cancels, answers"], ["admin", "admin: also tokens and the audit log"]];

export default function tokens() {
  const body = h("tbody");
  const none = h("div", { hidden: true }, empty("No token yet", "Programs and other people sign in with one. Until the first is made, only this machine gets in."));
  const table = h("div.table-wrap", null, h("table.table.fold", { "data-testid": "tokens" }, h("thead", null, h("tr", null, ["Name", "Role", "Pipelines", "Made", "Runs out", "Last used", ""].map((head) => h("th", { scope: "col" }, head)))), body));
  const paged = pagedList({
    path: "/tokens", query: () => ({}), limit: 100,
    show(items) { put(body, items.map((token) => row(token, paged))); none.hidden = items.length > 0; table.hidden = items.length === 0; },
  });
  const add = h("button.btn.main-action", { type: "button", "data-testid": "token-new", on: { click: () => createDialog(paged) } }, icon("plus"), "New token");
  return { title: "Tokens", node: h("div.page", null, pageHead({ title: "Tokens", actions: [add] }), h("section.card", null, table, none, paged.node)), ready: paged.restart() };
}

function row(token, paged) {
  const revoke = () => actionDialog({
    title: `Take back ${token.name}?`, action: "Take back", danger: true, body: [h("p", null, "Whoever uses it is refused from now on. This can't be undone.")],
    run: async () => { await remove(at("tokens", token.id)); toast("The token is taken back."); paged.reload(); },
  });
  return h("tr", null, h("td", null, h("b", null, token.name), h("div.small.faint", null, token.id)), h("td", { "data-label": "Role" }, token.role, token.per_minute ? h("div.small.faint", null, `${count(token.per_minute)} a minute`) : null, token.runs_per_day ? h("div.small.faint", null, `${count(token.runs_per_day)} runs a day`) : null),
    h("td", { "data-label": "Pipelines" }, token.pipelines?.length ? token.pipelines.map((p) => h("code.tag", null, p)) : h("span.faint", null, "all")),
    h("td", { "data-label": "Made" }, time(token.created_at)), h("td", { "data-label": "Runs out" }, token.expires_at ? time(token.expires_at) : h("span.faint", null, "never")),
    h("td", { "data-label": "Last used" }, token.last_used_at ? time(token.last_used_at) : h("span.faint", null, "never")), h("td", null, h("button.btn.small.danger", { type: "button", on: { click: revoke } }, "Take back")));
}

function createDialog(paged) {
  const name = h("input.input", { autocomplete: "off" });
  const role = h("select.select", null, ROLES.map(([value, text]) => h("option", { value }, text)));
  const life = h("select.select", null, LIVES.map(([text], i) => h("option", { value: String(i) }, text)));
  const patterns = h("input.input", { placeholder: "flights_*, nightly", autocomplete: "off" });
  const rate = h("input.input", { type: "number", min: 1, step: 1, placeholder: "no limit" });
  const quota = h("input.input", { type: "number", min: 1, step: 1, placeholder: "no limit" });
  const nameField = field({ label: "Name", control: name, required: true, hint: "Who or what uses it." });
  actionDialog({
    title: "New token", action: "Make the token", testid: "token-dialog",
    body: [nameField.node, field({ label: "Role", control: role }).node, field({ label: "Runs out after", control: life }).node,
      field({ label: "Only for pipelines", control: patterns, hint: "Names or patterns, with commas between. Empty: all." }).node, field({ label: "Requests a minute", control: rate }).node,
      field({ label: "Runs a day", control: quota, hint: "Runs that it may start between two midnights, UTC." }).node],
    run: async () => {
      nameField.problem(name.value.trim() ? null : "A name is needed, to know later whose it is.");
      if (!name.value.trim()) { name.focus(); return false; }
      const only = patterns.value.split(",").map((text) => text.trim()).filter(Boolean);
      const seconds = LIVES[Number(life.value)][1];
      const made = await post("/tokens", { name: name.value.trim(), role: role.value, ...(only.length ? { pipelines: only } : {}), ...(seconds ? { expires_in_s: seconds } : {}), ...(rate.value ? { per_minute: Number(rate.value) } : {}), ...(quota.value ? { runs_per_day: Number(quota.value) } : {}) });
      showToken(made);
      paged.reload();
      return true;
    },
  });
}

/** The only time that the token itself is seen. */
function showToken(made) {
  const text = h("input.input.mono", { readonly: true, value: made.token, "aria-label": "The token", "data-testid": "token-text", on: { focus: (event) => event.target.select() } });
  const copy = h("button.btn", { type: "button", on: { click: async () => {
    text.select();
    // The clipboard is closed to pages without TLS; the text is selected for the keyboard then.
    const done = await navigator.clipboard?.writeText(made.token).then(() => true, () => false);
    toast(done ? "Copied." : "Press Ctrl+C to copy.");
  } } }, icon("copy"), "Copy");
  openDialog({ title: `Token ${made.name}`, body: [note({ state: "warning", title: "It is shown only now", text: "Millwork keeps no copy that could be read. Put it where it is needed before you close this." }), h("div.bar", null, h("div.grow", null, text), copy)] });
}
