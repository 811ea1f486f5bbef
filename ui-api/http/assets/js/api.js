/** Talking to the server: one place for addresses, errors, the CSRF header and lists. */

const BASE = "/api/v1";
let csrf = /** @type {string|null} */ (null);

/** @param {string|null} value what /session gave */
export function setCsrf(value) {
  csrf = value;
}

/** What went wrong, in the server's own words where it had any. */
export class ApiError extends Error {
  /** @param {number} status @param {any} problem the problem+json */
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code ?? null;
    this.title = problem.title ?? null;
    this.help = problem.help ?? null;
    this.retry = problem.retry ?? null;
    this.diagnostics = problem.diagnostics ?? [];
    this.problem = problem;
  }
}

/**
 * The address of something of the API; empty parameters are left out.
 * @param {string} path below /api/v1
 * @param {Record<string, any>} [query]
 */
export function url(path, query = {}) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return `${BASE}${path}${text ? `?${text}` : ""}`;
}

/** A path from parts, each escaped. @param {...(string|number)} parts */
export const at = (...parts) => `/${parts.map((part) => encodeURIComponent(part)).join("/")}`;

/**
 * @param {string} path
 * @param {Record<string, any>} [query]
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export const get = (path, query, options = {}) => ask("GET", url(path, query), undefined, {}, options.signal);

/** @param {string} path @param {any} [body] @param {Record<string, string>} [headers] @returns {Promise<any>} */
export const post = (path, body, headers = {}) => ask("POST", url(path), body ?? {}, headers);

/** @param {string} path @returns {Promise<any>} */
export const remove = (path) => ask("DELETE", url(path), undefined, {});

async function ask(method, address, body, headers, signal) {
  const all = { Accept: "application/json", ...headers };
  if (body !== undefined) all["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) all["X-Millwork-CSRF"] = csrf;
  let answer;
  try {
    answer = await fetch(address, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, { title: "The server does not answer.", help: "Look whether `millwork serve` still runs; this page goes on by itself when it is back.", code: "ui.offline" });
  }
  if (answer.status === 401 && address !== `${BASE}/session`) document.dispatchEvent(new CustomEvent("millwork:signin"));
  if (answer.status === 204) return null;
  const text = await answer.text();
  if (answer.ok) return text ? JSON.parse(text) : null;
  throw new ApiError(answer.status, problemOf(answer, text));
}

/** A proxy between may answer with something that is not JSON. */
function problemOf(answer, text) {
  try {
    return JSON.parse(text);
  } catch {
    return { title: `The server answered ${answer.status} ${answer.statusText}.`.replace(" .", "."), detail: text.slice(0, 300) };
  }
}

/** @type {Promise<any>|null} */
let document_ = null;

/** Whether this server has a call, as its OpenAPI document says. @param {string} path below /api/v1, as the document writes it */
export async function offers(path) {
  document_ ??= fetch("/openapi.json", { credentials: "same-origin" }).then((answer) => (answer.ok ? answer.json() : null)).catch(() => null);
  const known = await document_;
  if (known === null) document_ = null;
  return Boolean(known?.paths?.[BASE + path]);
}

/** A key under which the same request may be sent twice and be done once. @returns {string} */
export function freshKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}
