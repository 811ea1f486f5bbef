/** Times, durations, numbers and sizes for people. */

import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en");
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY_TIME = /** @type {const} */ ({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const dayTime = new Intl.DateTimeFormat("en-GB", DAY_TIME);
const dayYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** @param {number|null|undefined} n */
export const count = (n) => (n === null || n === undefined ? "" : whole.format(n));

/** "1 step", "2 steps". @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** @param {number|null|undefined} seconds @returns {string} "1.7 ms", "4.2 s", "3 min 12 s", "2 h 5 min" */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return "";
  if (seconds < 0) return "0 s";
  if (seconds < 0.1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 10) return `${seconds.toFixed(seconds < 1 ? 2 : 1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, "min", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}
const two = (a, ua, b, ub) => (b ? `${a} ${ua} ${b} ${ub}` : `${a} ${ua}`);

/** @param {number|null|undefined} n bytes */
export function bytes(n) {
  if (n === null || n === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (n >= 1024 && at < units.length - 1) { n /= 1024; at += 1; }
  return `${at && n < 10 ? n.toFixed(1) : Math.round(n)} ${units[at]}`;
}

/** @param {string} at @param {number} [now] @returns {string} "12 s ago", "in 3 min", "28 Nov, 06:00" */
function relative(at, now = Date.now()) {
  const then = Date.parse(at);
  if (Number.isNaN(then)) return at;
  const off = (then - now) / 1000;
  const far = Math.abs(off);
  const say = (n, unit) => (off < 0 ? `${n} ${unit} ago` : `in ${n} ${unit}`);
  if (far < 5) return off < 0 ? "just now" : "now";
  if (far < 60) return say(Math.floor(far), "s");
  if (far < 3600) return say(Math.floor(far / 60), "min");
  if (far < 86400) return say(Math.floor(far / 3600), "h");
  if (far < 7 * 86400) return say(Math.floor(far / 86400), "d");
  const date = new Date(then);
  return date.getFullYear() === new Date(now).getFullYear() ? dayTime.format(date) : dayYear.format(date);
}

/** @param {string} at @returns {string} the exact time, in the reader's zone and in UTC */
export function exactly(at) {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${exact.format(date)} (${at})`;
}

/** @param {string} at @param {string} [zone] instead of the reader's @returns {string} "28 Nov, 06:00" */
export const dayAndTime = (at, zone) => (zone ? new Intl.DateTimeFormat("en-GB", { ...DAY_TIME, timeZone: zone }) : dayTime).format(new Date(at));

/** @param {string} at @returns {string} "06:00" */
export const hourMinute = (at) => clock.format(new Date(at));

/**
 * A time, shown relative and kept so; the exact one is in its title.
 * @param {string|null|undefined} at
 * @returns {HTMLElement|string}
 */
export function time(at) {
  if (!at) return "";
  return h("time", { datetime: at, title: exactly(at) }, relative(at));
}

/** Renews every relative time on the page. */
export function renewTimes() {
  const now = Date.now();
  for (const el of document.querySelectorAll("time[datetime]")) {
    const text = relative(el.getAttribute("datetime") ?? "", now);
    if (el.textContent !== text) el.textContent = text;
  }
}

/** The part of an id that people compare. @param {string} id */
export const shortId = (id) => (id.length > 16 ? `${id.slice(0, 4)}…${id.slice(-8)}` : id);

/** @param {any} value @returns {string} JSON, on one line where it is short */
export function json(value) {
  const line = JSON.stringify(value);
  return line === undefined ? "" : line.length <= 80 ? line : JSON.stringify(value, null, 2);
}

/** What starts a pipeline, as one line. @param {{kind: string, text: string}} trigger @returns {string} */
export function triggerText({ kind, text }) {
  const [, cron, zone] = (kind === "schedule" && /^(.+) \((.+)\)$/.exec(text)) || [];
  const words = cron ? cronWords(cron) : null;
  return words ? `${words}, ${zone}` : text;
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/** A line of cron in words, where that is easy. @param {string} cron @returns {string|null} */
export function cronWords(cron) {
  const daily = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-7]|1-5)$/.exec(cron);
  if (daily) {
    const clockTime = `${daily[2].padStart(2, "0")}:${daily[1].padStart(2, "0")}`;
    return `${daily[3] === "*" ? "Every day" : daily[3] === "1-5" ? "Monday to Friday" : `Every ${DAYS[Number(daily[3])]}`} at ${clockTime}`;
  }
  const minutes = /^\*\/(\d+) \* \* \* \*$/.exec(cron);
  if (minutes) return `Every ${minutes[1]} minutes`;
  const hourly = /^(\d{1,2}) \* \* \* \*$/.exec(cron);
  return hourly ? `Every hour at :${hourly[1].padStart(2, "0")}` : null;
}
