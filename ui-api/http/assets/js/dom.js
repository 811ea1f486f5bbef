/** Making and updating elements. Text always goes in as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an HTML element.
 * @param {string} tag name, with classes after dots: "a.btn.quiet"
 * @param {Record<string, any>|null} [props] attributes; `on` holds listeners, `vars` CSS custom properties, `data` data attributes
 * @param {...any} children nodes, texts, arrays of them; null and false are left out
 * @returns {any}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const el = document.createElement(name);
  if (classes.length) el.className = classes.join(" ");
  return fill(el, props, children);
}

/**
 * Makes an SVG element; the same as `h` otherwise.
 * @param {string} tag
 * @param {Record<string, any>|null} [props]
 * @param {...any} children
 * @returns {any}
 */
export function s(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const el = document.createElementNS(SVG, name);
  if (classes.length) el.setAttribute("class", classes.join(" "));
  return fill(el, props, children);
}

function fill(el, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") for (const [type, listener] of Object.entries(value)) el.addEventListener(type, listener);
    else if (key === "vars") for (const [name, v] of Object.entries(value)) el.style.setProperty(name, String(v));
    else if (key === "data") Object.assign(el.dataset, value);
    else if (key === "class") el.setAttribute("class", [el.getAttribute("class"), value].filter(Boolean).join(" "));
    else if (key === "value" || key === "checked" || key === "htmlFor") el[key] = value;
    else el.setAttribute(key, value === true ? "" : String(value));
  }
  add(el, children);
  return el;
}

function add(el, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(el, child);
    else el.append(child);
  }
}

/**
 * Replaces what an element holds.
 * @param {Element} el
 * @param {...any} children
 */
export function put(el, ...children) {
  el.replaceChildren();
  add(el, children);
}

/**
 * A text of the engine with its `quoted` parts as code.
 * @param {any} text what is no text is left as it is
 * @returns {any}
 */
export function quoted(text) {
  if (typeof text !== "string" || !text.includes("`")) return text;
  return text.split("`").map((part, i, all) => (i % 2 === 1 && i < all.length - 1 ? h("code.quoted", null, part) : i % 2 === 1 ? `\`${part}` : part));
}

/**
 * Writes a text only where it differs, so that selections and screen readers are left in peace.
 * @param {Node} el
 * @param {string} text
 */
export function say(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** What `keyed` made in each parent, by key. @type {WeakMap<Element, Map<any, Element>>} */
const made = new WeakMap();

/**
 * Makes the children of `parent` stand for `items`, in order, keeping the node of each key.
 * The parent must hold nothing else.
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {(item: T) => any} key
 * @param {(item: T) => Element} create
 * @param {(node: any, item: T) => void} [update]
 */
export function keyed(parent, items, key, create, update) {
  const before = made.get(parent) ?? new Map();
  const after = new Map();
  const wanted = new Set(items.map(key));
  for (const [k, node] of before) if (!wanted.has(k)) node.remove();
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    if (after.has(k)) continue;
    const node = before.get(k) ?? create(item);
    update?.(node, item);
    after.set(k, node);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  made.set(parent, after);
}

/**
 * Calls `fn` once in the next frame, however often it is asked for meanwhile.
 * @param {() => void} fn
 * @returns {() => void}
 */
export function inFrame(fn) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      fn();
    });
  };
}

/**
 * Calls `fn` when nothing was asked for `ms` milliseconds.
 * @param {(...args: any[]) => void} fn
 * @param {number} ms
 */
export function later(fn, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
}
