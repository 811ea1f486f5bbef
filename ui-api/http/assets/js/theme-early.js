// Runs before the first paint, so that a chosen theme does not flash. The toggle itself is in theme.js.
(function () {
  try {
    const chosen = localStorage.getItem("millwork.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be refused; then the system's preference holds.
  }
})();
