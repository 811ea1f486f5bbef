/** The icons: drawn on a 16 by 16 field with the colour of the text. */

import { s } from "./dom.js";

/** Paths by name; states have shapes of their own, so that they can be told apart without colour. */
const PATHS = {
  // states
  succeeded: ["M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13z", "M5 8.2l2.1 2.1L11 6.2"],
  failed: ["M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z", "M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4"],
  running: ["M8 1.7a6.3 6.3 0 1 1-6.3 6.3", "M8 8h.01"],
  waiting: ["M4 2h8M4 14h8M4.8 2c0 3.4 3.2 4 3.2 6s-3.2 2.6-3.2 6M11.2 2c0 3.4-3.2 4-3.2 6s3.2 2.6 3.2 6"],
  queued: ["M2.5 4h11M2.5 8h11M2.5 12h6"],
  pending: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z"],
  ready: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M6.5 5.5v5l4-2.5z"],
  skipped: ["M3 4l4.5 4L3 12zM8.5 4l4.5 4-4.5 4z"],
  cancelled: ["M2.5 2.5h11v11h-11z", "M5.5 8h5"],
  interrupted: ["M9 1.5L3.5 9H8l-1 5.5L12.5 7H8z"],
  // signs
  warning: ["M8 2l6.5 11.5h-13z", "M8 6.5v3M8 11.5h.01"],
  info: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M8 7.5V11M8 5h.01"],
  paused: ["M5.5 3v10M10.5 3v10"],
  // places
  overview: ["M2 9h5V2H2zM9 14h5V7H9zM2 14h5v-3H2zM9 5h5V2H9z"],
  runs: ["M2 4h9M4 8h10M3 12h6"],
  pipelines: ["M2.5 2.5h4v4h-4zM9.5 9.5h4v4h-4zM4.5 6.5v5h5"],
  approvals: ["M3 2.5h10v11H3z", "M5.5 8.2l1.8 1.8 3.2-3.6"],
  schedules: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M8 4.5V8l2.5 1.5"],
  audit: ["M4 1.5h8v13H4z", "M6 5h4M6 8h4M6 11h2"],
  tokens: ["M10.5 2a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM8 8l-5.5 5.5M5 11l2 2"],
  // acts
  search: ["M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5L14 14"],
  close: ["M4 4l8 8M12 4l-8 8"],
  play: ["M4.5 2.5v11l9-5.5z"],
  stop: ["M3.5 3.5h9v9h-9z"],
  again: ["M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.5v3h-3"],
  down: ["M8 2.5v10M4 9l4 4 4-4"],
  up: ["M8 13.5v-10M4 7l4-4 4 4"],
  left: ["M10 3L5 8l5 5"],
  right: ["M6 3l5 5-5 5"],
  copy: ["M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3"],
  theme: ["M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z", "M8 2a6 6 0 0 1 0 12z"],
  leave: ["M6 2.5H2.5v11H6M10 5l3 3-3 3M13 8H6"],
  keys: ["M1.5 4h13v8h-13zM4 6.5h.01M7 6.5h.01M10 6.5h.01M5 9.5h6"],
  plus: ["M8 3v10M3 8h10"],
  download: ["M8 2v8M4.5 7L8 10.5 11.5 7M2.5 13.5h11"],
  more: ["M2 2h5M2 2v5M2 2l5 5M14 14H9M14 14V9M14 14L9 9"],
};

/**
 * @param {string} name one of the names above
 * @param {{title?: string}} [options] with a title the icon speaks, without one it is decoration
 * @returns {SVGElement}
 */
export function icon(name, options = {}) {
  const paths = (PATHS[name] ?? PATHS.info).map((d) => s("path", { d }));
  return s(
    "svg",
    {
      viewBox: "0 0 16 16", width: 16, height: 16, fill: "none", stroke: "currentColor",
      "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round",
      class: name === "running" ? "spin" : null,
      role: options.title ? "img" : null, "aria-hidden": options.title ? null : "true", "aria-label": options.title,
    },
    paths,
  );
}

/** The mark: the profile of a moulding. @returns {SVGElement} */
export function brandMark() {
  return s(
    "svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linejoin": "round", "aria-hidden": "true" },
    s("path", { d: "M4 20V4h3c0 4 5 3 5 8s5 4 8 4v4z" }),
  );
}
