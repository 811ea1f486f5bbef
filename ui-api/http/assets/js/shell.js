/** The frame around every page: navigation, who is signed in, and whether the page is live. */

import { get, at } from "./api.js";
import { h, put, later } from "./dom.js";
import { icon, brandMark } from "./icons.js";
import { showKeys } from "./keys.js";
import { go } from "./router.js";
import { session, signOut, may } from "./session.js";
import { nextTheme, theme } from "./theme.js";

const LIVE_WORDS = { live: "Live", idle: "Up to date", lost: "Reconnecting…" };
const PLACES = [
  ["/", "overview", "Overview"], ["/runs", "runs", "Runs"], ["/pipelines", "pipelines", "Pipelines"],
  ["/approvals", "approvals", "Approvals"], ["/schedules", "schedules", "Schedules"],
];
const ADMIN = [["/audit", "audit", "Audit"], ["/tokens", "tokens", "Tokens"]];

/** @returns {{node: HTMLElement, main: HTMLElement}} */
export function shell() {
  const links = new Map();
  const badge = h("span.count", { hidden: true });
  const nav = h("nav.nav", { "aria-label": "Pages" }, [...PLACES, ...(may("admin") ? ADMIN : [])].map(([href, name, text]) => {
    const link = h("a", { href }, icon(name), text, name === "approvals" ? badge : null);
    links.set(href, link);
    return link;
  }));
  const main = h("main.main", { id: "main", tabindex: -1 });
  const side = h("div.side", null,
    h("a.brand", { href: "/" }, brandMark(), "Millwork"), jump(), nav, foot());
  document.addEventListener("millwork:shown", (event) => {
    const path = /** @type {any} */ (event).detail.path;
    for (const [href, link] of links) {
      const on = href === "/" ? path === "/" : path.startsWith(href);
      if (on) { link.setAttribute("aria-current", "page"); link.scrollIntoView?.({ block: "nearest", inline: "center" }); }
      else link.removeAttribute("aria-current");
    }
    countSoon();
  });
  const countSoon = later(() => countApprovals(badge), 150);
  document.addEventListener("millwork:approvals", countSoon);
  return { node: h("div.shell", null, side, main), main };
}

async function countApprovals(badge) {
  try {
    const { items } = await get("/approvals", { limit: 100 });
    badge.hidden = items.length === 0;
    badge.textContent = items.length >= 100 ? "100+" : String(items.length);
    badge.setAttribute("aria-label", `${badge.textContent} waiting`);
  } catch {
    // The badge is a comfort; the page that has the list tells of errors.
  }
}

/** A field that opens a run by its id and finds pipelines by their names. */
function jump() {
  const input = h("input.input", { type: "search", placeholder: "Pipeline or run id", "aria-label": "Go to a pipeline or run", autocomplete: "off", list: "jump-names", "data-search": true });
  const names = h("datalist", { id: "jump-names" });
  input.addEventListener("input", later(async () => {
    const text = input.value.trim();
    if (!text || text.startsWith("run_")) return;
    const { items } = await get("/pipelines", { q: text, limit: 8 }).catch(() => ({ items: [] }));
    put(names, items.map((p) => h("option", { value: p.name })));
  }, 150));
  const submit = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    if (text.startsWith("run_")) return go(at("runs", text));
    const known = await get(at("pipelines", text)).then(() => true, () => false);
    go(known ? at("pipelines", text) : `/pipelines?q=${encodeURIComponent(text)}`);
  };
  return h("form.jump.search", { role: "search", on: { submit } }, icon("search"), input, names);
}

function foot() {
  const who = session();
  const live = h("div.live", { role: "status", "data-testid": "live", data: { live: "idle" } }, LIVE_WORDS.idle);
  document.addEventListener("millwork:live", (event) => {
    const state = /** @type {any} */ (event).detail;
    if (live.dataset.live === state) return;
    live.dataset.live = state;
    live.textContent = LIVE_WORDS[state];
  });
  const themeButton = h("button.btn.quiet.icon-only", { type: "button", on: { click: () => label(nextTheme()) } }, icon("theme"));
  const label = (now) => { themeButton.title = `Theme: ${now}`; themeButton.setAttribute("aria-label", `Theme: ${now}. Change it`); };
  label(theme());
  const keys = h("button.btn.quiet.icon-only", { type: "button", title: "Keyboard shortcuts", "aria-label": "Keyboard shortcuts", on: { click: showKeys } }, icon("keys"));
  const leave = who?.open ? null : h("button.btn.quiet.icon-only", {
    type: "button", title: "Sign out", "aria-label": "Sign out", on: { click: async () => { await signOut().catch(() => null); location.assign("/"); } },
  }, icon("leave"));
  return h("div.side-foot", null, live,
    h("div.who.clip", { title: who?.home ?? "" }, h("b", null, who?.actor ?? ""), who?.role ? ` · ${who.role}` : "", who?.version ? h("span.faint", null, ` · ${who.version}`) : null),
    h("div.row", null, themeButton, keys, leave));
}
