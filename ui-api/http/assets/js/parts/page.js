/** What the pages share: a heading, tabs, and lists that go on. */

import { get } from "../api.js";
import { h } from "../dom.js";
import { count as format } from "../format.js";
import { errorNote } from "./notice.js";

/**
 * @param {{title: any, crumbs?: [string, string][], lead?: any, actions?: any[], under?: any}} options
 * @returns {HTMLElement}
 */
export function pageHead({ title, crumbs, lead, actions, under }) {
  return h("header.head", null,
    h("div", null,
      crumbs ? h("nav.crumbs", { "aria-label": "Above" }, crumbs.map(([href, text]) => [h("a", { href }, text), h("span", { "aria-hidden": "true" }, "/")])) : null,
      h("h1", { tabindex: -1 }, title), lead ? h("p.lead", null, lead) : null, under),
    actions ? h("div.actions", null, actions) : null);
}

/**
 * Links that stand for the tabs of a page; the address says which is open.
 * @param {string} label
 * @returns {{node: HTMLElement, fill: (tabs: {name: string, text: string, count?: number|null}[], current: string) => void}}
 */
export function tabBar(label) {
  const node = h("nav.tabs", { "aria-label": label });
  let said = "";
  return {
    node,
    fill(tabs, current) {
      const query = new URLSearchParams(location.search);
      query.delete("tab");
      // The links keep the rest of the address, such as the step that is open.
      const now = JSON.stringify([tabs, current, String(query)]);
      if (now === said) return;
      said = now;
      node.replaceChildren(...tabs.map(({ name, text, count }) => {
        query.set("tab", name);
        return h("a", { href: `${location.pathname}?${query}`, "aria-current": name === current ? "page" : null, "data-testid": `tab-${name}` }, text, count ? h("span.n", null, format(count)) : null);
      }));
    },
  };
}

/**
 * A list of the API that is read a page at a time, with a button for more.
 * @param {{path: string, query: () => Record<string, any>, show: (items: any[]) => void, limit?: number}} options
 */
export function pagedList({ path, query, show, limit = 50 }) {
  let items = [];
  let next = null;
  let turn = 0;
  const problem = h("div");
  const more = h("button.btn.small", { type: "button", hidden: true, on: { click: () => load(next) } }, "Show more");
  const node = h("div", null, problem, h("div.list-foot", { hidden: true }, more));
  async function load(cursor, keep = items.length) {
    const mine = cursor ? turn : ++turn;
    more.disabled = true;
    try {
      // A reload asks for as many as are shown, so that the page does not shrink under the reader.
      const page = await get(path, { ...query(), cursor, limit: cursor ? limit : Math.min(500, Math.max(limit, keep)) });
      if (mine !== turn) return;
      items = cursor ? [...items, ...page.items] : page.items;
      next = page.next ?? null;
      problem.replaceChildren();
      show(items);
    } catch (error) {
      if (mine === turn) problem.replaceChildren(errorNote(error, () => load(cursor)));
    } finally {
      more.disabled = false;
      more.hidden = next === null;
      more.parentElement.hidden = next === null;
    }
  }
  return { node, reload: () => load(null), restart: () => load(null, 0) };
}
