/** Values of Millwork's types, from and to what a person types. */

const CHECKS = {
  int: [/^[+-]?\d+$/, "A whole number, such as 42."],
  date: [/^\d{4}-\d\d-\d\d$/, "A date, such as 2026-01-31."],
  timestamp: [/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/, "A time with seconds and zone, such as 2026-01-31T06:00:00Z."],
  duration: [/^(\d+(\.\d+)?(ms|s|m|h|d|w))+$|^P/, "A duration, such as 90s, 10m or 1h30m."],
};
const good = (value) => ({ value, problem: null });
const bad = (problem) => ({ value: undefined, problem });

/**
 * @param {string} type without a question mark
 * @param {string} text
 * @returns {{value: any, problem: string|null}}
 */
export function parseValue(type, text) {
  const short = text.trim();
  const check = CHECKS[type];
  if (check && !check[0].test(short)) return bad(check[1]);
  if (type === "int") return Number.isSafeInteger(Number(short)) ? good(Number(short)) : bad("This number is too large for a browser; use the command line.");
  if (type === "float") return short !== "" && Number.isFinite(Number(short)) ? good(Number(short)) : bad("A number, such as 0.5.");
  if (type === "bool") return short === "true" || short === "false" ? good(short === "true") : bad("true or false.");
  if (type in CHECKS) return good(short);
  const item = /^list<(.+)>$/.exec(type)?.[1];
  if (item && isSimple(item)) return parseLines(item, text);
  if (/^(list|map|object|table)/.test(type)) return parseJson(short);
  if (type === "any") return parseAny(short);
  return good(text);
}

/** A value as it stands in a field. @param {string} type @param {any} value @returns {string} */
export function showValue(type, value) {
  const item = /^list<(.+)>$/.exec(type)?.[1];
  if (item && isSimple(item) && Array.isArray(value)) return value.map(String).join("\n");
  if (type === "duration" && typeof value === "string") return shortDuration(value);
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** "PT90S" as "90s", "PT1H30M" as "1h30m". */
function shortDuration(text) {
  const parts = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$/.exec(text);
  if (!parts) return text;
  return parts.slice(1).map((n, i) => (n ? `${n}${"hms"[i]}` : "")).join("") || text;
}

const isSimple = (type) => ["string", "int", "float", "bool", "date", "timestamp", "duration", "file"].includes(type);

function parseLines(item, text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const values = [];
  for (const [i, line] of lines.entries()) {
    const { value, problem } = parseValue(item, line);
    if (problem) return bad(`Line ${i + 1}: ${problem}`);
    values.push(value);
  }
  return good(values);
}

function parseJson(text) {
  try {
    return good(JSON.parse(text));
  } catch (error) {
    return bad(`This must be JSON. ${error.message}.`);
  }
}

/** What is no JSON is a text. */
function parseAny(text) {
  try {
    return good(JSON.parse(text));
  } catch {
    return good(text);
  }
}
