/** Pages and addresses: the history API, one view at a time. */

import { toast } from "./parts/notice.js";

/**
 * @typedef {{path: string, params: string[], query: URLSearchParams}} Place
 * @typedef {{node: HTMLElement, title: string, update?: (place: Place) => void, leave?: () => void, ready?: Promise<any>}} View
 */

/** @type {{pattern: RegExp, load: () => Promise<{default: (place: Place) => View}>}[]} */
const routes = [
  { pattern: /^\/$/, load: () => import("./views/overview.js") },
  { pattern: /^\/runs$/, load: () => import("./views/runs.js") },
  { pattern: /^\/runs\/([^/]+)$/, load: () => import("./views/run.js") },
  { pattern: /^\/pipelines$/, load: () => import("./views/pipelines.js") },
  { pattern: /^\/pipelines\/([^/]+)$/, load: () => import("./views/pipeline.js") },
  { pattern: /^\/approvals$/, load: () => import("./views/approvals.js") },
  { pattern: /^\/schedules$/, load: () => import("./views/schedules.js") },
  { pattern: /^\/audit$/, load: () => import("./views/audit.js") },
  { pattern: /^\/tokens$/, load: () => import("./views/tokens.js") },
  { pattern: /.*/, load: () => import("./views/missing.js") },
];

let outlet = /** @type {HTMLElement|null} */ (null);
let shown = /** @type {{path: string, view: View}|null} */ (null);
let turn = 0;
/** Where each entry of the history was scrolled to. @type {Map<string, number>} */
const scrolls = new Map();

/** @returns {Place} */
function here() {
  return { path: location.pathname.replace(/(.)\/$/, "$1"), params: [], query: new URLSearchParams(location.search) };
}

/**
 * Starts showing views in `el`, and follows links.
 * @param {HTMLElement} el
 */
export function start(el) {
  outlet = el;
  history.scrollRestoration = "manual";
  window.addEventListener("popstate", () => show(true));
  document.addEventListener("click", onClick);
  // The other pages' code is small; with it here, they open also while the server is away.
  setTimeout(() => routes.forEach((route) => route.load().catch(() => null)), 2000);
  return show(false);
}

/**
 * Goes to an address of this interface.
 * @param {string} address path and query
 * @param {{replace?: boolean}} [options]
 */
export function go(address, options = {}) {
  remember();
  if (options.replace) history.replaceState(history.state, "", address);
  else history.pushState({ key: String(Date.now() + Math.random()) }, "", address);
  return show(false);
}

/**
 * Changes parameters of this page's query and leaves the rest; null takes one away.
 * @param {Record<string, string|null>} changes
 * @param {{replace?: boolean}} [options]
 */
export function setQuery(changes, options = { replace: true }) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  return go(location.pathname + (text ? `?${text}` : ""), options);
}

function remember() {
  scrolls.set(history.state?.key ?? "first", window.scrollY);
}

function onClick(event) {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download")) return;
  const target = new URL(link.href);
  if (target.origin !== location.origin || target.pathname.startsWith("/api/") || target.hash) return;
  event.preventDefault();
  go(target.pathname + target.search, { replace: target.href === location.href });
}

async function show(back) {
  const mine = ++turn;
  const place = here();
  if (shown?.path === place.path && shown.view.update) {
    shown.view.update(place);
    return;
  }
  const route = routes.find(({ pattern }) => pattern.test(place.path));
  place.params = (route.pattern.exec(place.path) ?? []).slice(1).map(decodeURIComponent);
  let module;
  try {
    module = await route.load();
  } catch {
    // The code of the page could not be fetched: the server is away. What is shown stays.
    toast("The server does not answer, so this page can't be opened. Try again when it is back.");
    return;
  }
  // Another page was asked for while this one's code was under way.
  if (mine !== turn) return;
  shown?.view.leave?.();
  const view = module.default(place);
  shown = { path: place.path, view };
  outlet.replaceChildren(view.node);
  document.title = `${view.title} · Millwork`;
  document.dispatchEvent(new CustomEvent("millwork:shown", { detail: place }));
  view.node.querySelector("h1")?.focus({ preventScroll: true });
  if (!back) window.scrollTo(0, 0);
  else view.ready?.then(() => mine === turn && window.scrollTo(0, scrolls.get(history.state?.key ?? "first") ?? 0));
}
