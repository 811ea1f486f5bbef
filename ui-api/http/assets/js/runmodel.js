/** One run as the page knows it: read once, then kept up to date by events. */

import { get, at } from "./api.js";
import { inFrame, later } from "./dom.js";
import { Live } from "./live.js";
import { isOver, isSettled } from "./states.js";

/**
 * @typedef {{run: boolean, all: boolean, steps: Set<string>}} Changes
 */

/** Steps in one answer. */
const PART = 5000;

/** Tells its listener what changed, at most once a frame, however many events come. */
export class RunModel {
  /**
   * @param {string} id
   * @param {{onChange: (changes: Changes) => void, onLog: (lines: any[]) => void, onError: (error: any) => void}} options
   */
  constructor(id, options) {
    this.id = id;
    this.options = options;
    this.detail = null;
    /** @type {Map<string, any>} */
    this.steps = new Map();
    this.changes = fresh();
    this.logTotal = /** @type {number|null} */ (null);
    this.tell = inFrame(() => {
      const changes = this.changes;
      this.changes = fresh();
      if (!this.closed) this.options.onChange(changes);
    });
    this.reloadSoon = later(() => this.load(), 250);
    this.headSoon = later(() => this.loadHead(), 250);
  }

  /** Reads the run from new and follows it if it is not over. */
  async load() {
    // What comes while the answer is under way may be newer than the answer; it is applied to it again.
    const meanwhile = /** @type {[string, any][]} */ ([]);
    this.meanwhile = meanwhile;
    try {
      // The graph never changes; the steps are read beside the run, and what came between them comes again as events.
      const [detail, steps, plan] = await Promise.all([get(at("runs", this.id)), this.#allSteps(), this.detail?.plan ?? get(at("runs", this.id, "plan"))]);
      if (this.closed || this.meanwhile !== meanwhile) return;
      this.meanwhile = null;
      this.detail = { ...detail, plan, seq: Math.min(detail.seq, steps.seq) };
      this.steps = new Map(steps.items.map((step) => [step.id, step]));
      for (const [type, data] of meanwhile) this.#apply(type, data);
      this.changes.all = true;
      this.tell();
      if (isOver(detail.status)) this.#stop();
      else if (!this.live) this.#follow();
    } catch (error) {
      if (!this.closed) this.options.onError(error);
    }
  }

  /** Reads all steps, in parts; `seq` is that of the oldest part. */
  async #allSteps() {
    const items = [];
    let seq = Infinity;
    let cursor = null;
    do {
      const page = await get(at("runs", this.id, "steps"), { limit: PART, cursor });
      for (const step of page.items) items.push(step);
      seq = Math.min(seq, page.seq);
      cursor = page.next;
    } while (cursor && !this.closed);
    return { items, seq };
  }

  /** Reads what stands in the run alone, such as its owner and its place in the queue. Steps are known from events. */
  async loadHead() {
    try {
      const detail = await get(at("runs", this.id));
      if (this.closed || !this.detail || this.meanwhile) return;
      this.detail = { ...detail, plan: this.detail.plan, seq: this.detail.seq };
      this.changes.run = true;
      this.tell();
    } catch (error) {
      if (!this.closed) this.options.onError(error);
    }
  }

  /** Asks for log lines too, from a place on. @param {number} total lines that are known already */
  withLogs(total) {
    if (this.logTotal !== null || !this.detail || isOver(this.detail.status)) return;
    this.logTotal = total;
    this.#stop();
    this.#follow();
  }

  close() {
    this.closed = true;
    this.#stop();
  }

  #stop() {
    this.live?.close();
    this.live = null;
  }

  #follow() {
    const logs = this.logTotal !== null;
    // The place of the log is the number of the next line.
    const after = `s:${this.detail.seq}${logs ? `;l:${this.logTotal}` : ""}`;
    this.live = new Live(`${at("runs", this.id)}/events`, {
      query: logs ? { logs: 1 } : {}, after, on: (type, data) => this.#take(type, data), onReturn: () => this.load(),
    });
  }

  #take(type, data) {
    if (type === "log") return this.options.onLog(data.lines ?? []);
    if (type === "gap") return this.load();
    if (type === "end") { this.live = null; return this.load(); }
    // A child's end is told to its parent too.
    if (data.run && data.run !== this.id) return this.headSoon();
    this.meanwhile?.push([type, data]);
    this.#apply(type, data);
    this.tell();
  }

  #apply(type, data) {
    if (!this.detail || (data.seq !== undefined && data.seq <= this.detail.seq)) return;
    if (data.seq) this.detail.seq = data.seq;
    if (type === "run") this.#run(data);
    if (type === "step") this.#step(data);
    if (type === "items") this.#items(data);
  }

  #run(data) {
    this.changes.run = true;
    const before = this.detail.status;
    this.detail.status = data.status;
    // Owner, queue and what a wait is for stand in the detail only.
    if (before !== data.status) this.headSoon();
  }

  #step(data) {
    const step = this.steps.get(data.step);
    if (!step) return this.reloadSoon();
    step.status = data.status;
    if (data.attempt) step.attempts = Math.max(step.attempts ?? 0, data.attempt);
    if (data.status === "running" && !step.started_at) step.started_at = data.at;
    if (isSettled(data.status)) {
      step.ended_at = data.at;
      if (step.started_at) step.took_s = (Date.parse(data.at) - Date.parse(step.started_at)) / 1000;
    }
    for (const key of ["fault", "rows", "wait", "reused"]) if (data[key] !== undefined) step[key] = data[key];
    if (data.status !== "waiting") step.wait = null;
    this.changes.steps.add(step.id);
  }

  #items(data) {
    const step = this.steps.get(data.step);
    if (!step) return;
    const { succeeded = 0, failed = 0, skipped = 0, cancelled = 0, running = 0 } = data;
    step.items = { ...step.items, succeeded, failed, skipped, cancelled, running, total: data.total ?? step.items?.total ?? null };
    this.changes.steps.add(step.id);
  }
}

const fresh = () => ({ run: false, all: false, steps: new Set() });
