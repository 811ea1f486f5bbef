/** Light, dark, or as the system says. */

const KEY = "millwork.theme";
const ORDER = ["system", "light", "dark"];

/** @returns {"system"|"light"|"dark"} what is chosen now */
export function theme() {
  return /** @type {any} */ (document.documentElement.dataset.theme ?? "system");
}

/** Goes on to the next theme and keeps it. @returns {string} the new one */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  // Canvases do not follow CSS by themselves.
  document.dispatchEvent(new CustomEvent("millwork:theme"));
  return next;
}
