/** Long lists read in parts: by place, where the server can, or onwards from a cursor. */

const SIZE = 200;
const KEEP = 30;

/**
 * A list read by place (`from=`, `limit=`). It keeps the parts looked at last, never all.
 * @template T
 */
export class Ranges {
  /**
   * @param {(from: number, limit: number, signal: AbortSignal) => Promise<T[]>} load
   * @param {() => void} onLoad told when a part has come
   * @param {(error: any) => void} onError
   */
  constructor(load, onLoad, onError) {
    this.load = load;
    this.onLoad = onLoad;
    this.onError = onError;
    /** @type {Map<number, T[]>} */
    this.parts = new Map();
    /** @type {Map<number, AbortController>} */
    this.under = new Map();
    this.timer = 0;
  }

  /** @param {number} index @returns {T|undefined} */
  get(index) {
    return this.parts.get(Math.floor(index / SIZE))?.[index % SIZE];
  }

  /** Sees to it that these places are loaded, soon: places that are only scrolled past are not asked for. */
  want(first, last) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#fetch(Math.floor(first / SIZE), Math.floor(last / SIZE), last), 40);
  }

  /** Places something that came by another way at its place, if it goes on from what is here. @param {number} index @param {T} item */
  append(index, item) {
    const key = Math.floor(index / SIZE);
    const part = this.parts.get(key) ?? (index % SIZE === 0 ? [] : null);
    if (!part || part.length !== index % SIZE) return;
    part.push(item);
    this.parts.set(key, part);
    this.#forget();
  }

  /** Forgets all, for another selection. */
  clear() {
    clearTimeout(this.timer);
    for (const control of this.under.values()) control.abort();
    this.under.clear();
    this.parts.clear();
  }

  #fetch(from, to, last) {
    for (const [key, control] of this.under) {
      if (key < from || key > to) { control.abort(); this.under.delete(key); }
    }
    for (let key = from; key <= to; key++) {
      const have = this.parts.get(key);
      const full = have && have.length > Math.min(last - key * SIZE, SIZE - 1);
      if (!full && !this.under.has(key)) this.#one(key);
      else if (have) { this.parts.delete(key); this.parts.set(key, have); }
    }
  }

  async #one(key) {
    const control = new AbortController();
    this.under.set(key, control);
    try {
      const part = await this.load(key * SIZE, SIZE, control.signal);
      if (control.signal.aborted) return;
      this.parts.set(key, part);
      this.#forget();
      this.onLoad();
    } catch (error) {
      if (!control.signal.aborted) this.onError(error);
    } finally {
      if (this.under.get(key) === control) this.under.delete(key);
    }
  }

  /** The Map is in the order of use; the oldest part goes first. */
  #forget() {
    while (this.parts.size > KEEP) this.parts.delete(this.parts.keys().next().value);
  }
}

/**
 * A list read onwards, where places are not known beforehand.
 * @template T
 */
export class Feed {
  /**
   * @param {(cursor: any) => Promise<{items: T[], next: any}>} load
   * @param {() => void} onLoad
   * @param {(error: any) => void} onError
   */
  constructor(load, onLoad, onError) {
    this.load = load;
    this.onLoad = onLoad;
    this.onError = onError;
    this.clear();
  }

  /** Forgets all and begins anew when asked for more. */
  clear() {
    /** @type {T[]} */
    this.items = [];
    this.cursor = undefined;
    this.done = false;
    this.busy = false;
    this.turn = (this.turn ?? 0) + 1;
  }

  /** Reads the next part. */
  async more() {
    if (this.busy || this.done) return;
    this.busy = true;
    const turn = this.turn;
    try {
      const page = await this.load(this.cursor);
      if (turn !== this.turn) return;
      for (const item of page.items) this.items.push(item);
      this.cursor = page.next;
      this.done = page.next === null || page.next === undefined || page.items.length === 0;
      this.busy = false;
      this.onLoad();
    } catch (error) {
      if (turn !== this.turn) return;
      this.busy = false;
      this.done = true;
      this.onError(error);
    }
  }
}
