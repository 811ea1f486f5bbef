/** Events from the server, resumed after a loss and let go of while nobody looks. */

import { url } from "./api.js";

const TYPES = ["run", "step", "items", "log", "end", "gap", "problem"];
/** A hidden page gives its connection back after this long: browsers allow only six to a server. */
const HIDDEN_MS = 20_000;

/**
 * Follows a stream of events until `close` is called or the run ends.
 * EventSource sends Last-Event-ID itself when it reconnects; a connection that this module opens anew says `after=`.
 */
export class Live {
  /**
   * @param {string} path below /api/v1
   * @param {{query?: Record<string, any>, after?: string|null, on: (type: string, data: any) => void, onReturn?: () => void}} options
   *   `onReturn` is called when a connection stands again after a loss whose place could not be kept
   */
  constructor(path, options) {
    this.path = path;
    this.options = options;
    this.last = options.after ?? null;
    this.lost = false;
    this.closed = false;
    this.wait = 1000;
    this.onVisible = () => this.#visible();
    document.addEventListener("visibilitychange", this.onVisible);
    this.#open();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.hiding);
    this.source?.close();
    document.removeEventListener("visibilitychange", this.onVisible);
    tell(this, "idle");
  }

  #open() {
    clearTimeout(this.timer);
    this.source?.close();
    const source = new EventSource(url(this.path, { ...this.options.query, after: this.last }));
    this.source = source;
    source.onopen = () => {
      const again = this.lost && this.last === null;
      this.lost = false;
      this.wait = 1000;
      tell(this, "live");
      if (again) this.options.onReturn?.();
    };
    source.onerror = () => this.#failed(source);
    for (const type of TYPES) source.addEventListener(type, (event) => this.#take(type, event));
  }

  #take(type, event) {
    if (event.lastEventId) this.last = event.lastEventId;
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      // Half an event at the end of a broken connection; the next one has the whole.
      return;
    }
    if (type === "problem") {
      // The token or the session is not good any more.
      this.close();
      document.dispatchEvent(new CustomEvent("millwork:signin"));
      return;
    }
    this.options.on(type, data);
    if (type === "end") this.close();
  }

  #failed(source) {
    if (this.closed || source !== this.source) return;
    this.lost = true;
    tell(this, "lost");
    // EventSource tries again by itself unless the server refused; then it is for us to ask again, ever more slowly.
    if (source.readyState !== EventSource.CLOSED) return;
    this.timer = setTimeout(() => this.#open(), this.wait);
    this.wait = Math.min(this.wait * 2, 30_000);
  }

  #visible() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => { this.source?.close(); this.asleep = true; this.lost = true; }, HIDDEN_MS);
    } else if (this.asleep) {
      this.asleep = false;
      this.#open();
    }
  }
}

/** Connections that stand, are lost, or are at rest. @type {Map<Live, string>} */
const all = new Map();

function tell(live, state) {
  if (state === "idle") all.delete(live);
  else all.set(live, state);
  const states = [...all.values()];
  const detail = states.includes("lost") ? "lost" : states.length ? "live" : "idle";
  document.dispatchEvent(new CustomEvent("millwork:live", { detail }));
}
